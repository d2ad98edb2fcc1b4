#include "runtime/recording.h"

namespace gradflip {
namespace {

constexpr bool can_record(Cpu /*ctx*/) { return false; }
[[maybe_unused]] constexpr bool can_record(Cuda /*ctx*/) { return true; }

std::unique_ptr<Recording> record(Cpu /*ctx*/, const std::function<void()>& /*body*/) {
  return nullptr;
}

}  // namespace

bool can_record(const Context& context) {
  return std::visit([](auto ctx) { return can_record(ctx); }, context);
}

std::unique_ptr<Recording> record(const Context& context, const std::function<void()>& body) {
  return std::visit([&](auto ctx) { return record(ctx, body); }, context);
}

}  // namespace gradflip
