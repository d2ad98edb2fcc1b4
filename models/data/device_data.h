// A data set in a context's memory, once, however many trainers and evaluators look at it. Where
// that memory is the host's, nothing is copied; a GPU gets one upload.
//
// It must outlive every trainer and evaluator that is given it: they hold no copy. On the CPU the
// samples and labels that it was made of must outlive it, for the same reason.
//
// What training may see is a matter of type, as in domain_data.h: as DeviceData a labelled set
// shows no labels, so that a target whose labels measure a bound can be the one that a DANN learns
// from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "kernels/context.h"
#include "models/data/domain_data.h"
#include "models/data/samples.h"
#include "runtime/memory.h"

namespace gradflip {

// Bytes of the host in a context's memory: they themselves where that is the host's, else a copy.
class ResidentBytes {
 public:
  ResidentBytes(const Context& context, std::span<const std::byte> bytes);

  const std::byte* data() const { return data_; }

 private:
  Buffer copy_;  // of 0 bytes where there is none
  const std::byte* data_;
};

class DeviceData {
 public:
  // `name` is what messages call the set: "the source's training set". Throws DataError, which
  // begins with it, for samples that are not whole (fault_of in samples.h).
  DeviceData(const Context& context, const Samples& samples, std::string name);
  DeviceData(const Context& context, const UnlabelledImages& images, const std::string& name);
  // It would look at what is gone when the call returns.
  DeviceData(const Context& context, UnlabelledImages&& images, const std::string& name) = delete;
  DeviceData(const DeviceData&) = delete;
  DeviceData& operator=(const DeviceData&) = delete;
  ~DeviceData() = default;

  const std::string& name() const { return name_; }
  const DatasetShape& shape() const { return shape_; }
  std::int64_t count() const { return shape_.count; }
  // In the context's memory, as many as count() says.
  const std::byte* samples() const { return samples_.data(); }

  // Throws std::invalid_argument unless it lies in the memory of `context`.
  void require_on(const Context& context) const;

 private:
  std::string name_;
  Context context_;
  DatasetShape shape_;
  ResidentBytes samples_;
};

class LabelledDeviceData : public DeviceData {
 public:
  // Throws DataError also for labels that are not one for each sample, or out of range; it names
  // the sample and its label.
  LabelledDeviceData(const Context& context, const Samples& samples,
                     std::span<const std::int32_t> labels, std::int64_t num_classes,
                     std::string name);
  LabelledDeviceData(const Context& context, const LabelledImages& images, const std::string& name);
  LabelledDeviceData(const Context& context, LabelledImages&& images,
                     const std::string& name) = delete;

  std::int64_t num_classes() const { return num_classes_; }
  // (count), in the context's memory.
  const std::int32_t* labels() const {
    return reinterpret_cast<const std::int32_t*>(labels_.data());
  }

  // Throws DataError, naming a sample and its label, if a network of so many classes cannot give
  // it.
  void require_labels_below(std::int64_t network_classes) const;

 private:
  std::int64_t num_classes_;
  ResidentBytes labels_;
  std::int64_t largest_at_ = 0;  // the first sample with the largest label
  std::int32_t largest_ = -1;    // that label; below any if there is no sample
};

}  // namespace gradflip
