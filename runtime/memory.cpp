#include "runtime/memory.h"

#include <utility>

#include "runtime/memory_backends.h"

namespace gradflip {

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

void copy_within(const Context& context, void* to, const void* from, std::int64_t bytes) {
  if (bytes == 0) return;
  std::visit([&](auto ctx) { copy_within(ctx, to, from, bytes); }, context);
}

void copy_from_host(const Context& context, void* to, const void* from, std::int64_t bytes) {
  if (bytes == 0) return;
  std::visit([&](auto ctx) { copy_from_host(ctx, to, from, bytes); }, context);
}

void copy_to_host(const Context& context, void* to, const void* from, std::int64_t bytes) {
  if (bytes == 0) return;
  std::visit([&](auto ctx) { copy_to_host(ctx, to, from, bytes); }, context);
}

}  // namespace gradflip
