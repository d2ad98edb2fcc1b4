// Device memory of a case, and small data whose sums are exact in f32.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace planted {

// An error of the runtime is an outcome, too.
inline void check(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t size) : size_(size) {
    void* memory = nullptr;
    check(cudaMalloc(&memory, size * sizeof(T)));
    data_ = static_cast<T*>(memory);
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) { set(values); }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() { return data_; }
  void set(const std::vector<T>& values) {
    check(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  std::vector<T> host() const {
    std::vector<T> values(size_);
    check(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }
  // Frees the memory now, to see what the runtime says of it.
  void release() {
    T* const data = data_;
    data_ = nullptr;
    check(cudaFree(data));
  }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

// Whether the array holds this. Frees it, so that a write outside it is seen by then.
template <typename T>
bool holds(DeviceArray<T>& array, const std::vector<T>& expected) {
  const std::vector<T> values = array.host();
  array.release();
  return values == expected;
}

// -3, -2, ..., 13, -3, ...
inline std::vector<float> ramp(std::size_t size) {
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>(i % 17) - 3;
  return values;
}

inline float sum(const std::vector<float>& values) {
  float total = 0;
  for (float value : values) total += value;
  return total;
}

}  // namespace planted
