#include <cstring>
#include <new>
#include <utility>

#include "runtime/memory.h"

namespace gradflip {
namespace {

constexpr std::align_val_t kAlignment{64};

std::byte* allocate(Cpu /*ctx*/, std::int64_t bytes) {
  auto* data = static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), kAlignment));
  std::memset(data, 0, static_cast<std::size_t>(bytes));
  return data;
}

void release(Cpu /*ctx*/, std::byte* data) { ::operator delete(data, kAlignment); }

void copy(Cpu /*ctx*/, void* to, const void* from, std::int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

}  // namespace

Buffer::Buffer(const Context& context, std::int64_t bytes) : context_(context), bytes_(bytes) {
  if (bytes > 0) data_ = std::visit([bytes](auto ctx) { return allocate(ctx, bytes); }, context);
}

Buffer::Buffer(Buffer&& other) noexcept
    : context_(other.context_),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Buffer::~Buffer() {
  if (data_ != nullptr) std::visit([this](auto ctx) { release(ctx, data_); }, context_);
}

void copy_from_host(const Context& context, void* to, const void* from, std::int64_t bytes) {
  std::visit([&](auto ctx) { copy(ctx, to, from, bytes); }, context);
}

void copy_to_host(const Context& context, void* to, const void* from, std::int64_t bytes) {
  std::visit([&](auto ctx) { copy(ctx, to, from, bytes); }, context);
}

}  // namespace gradflip
