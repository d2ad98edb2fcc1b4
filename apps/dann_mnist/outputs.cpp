#include "apps/dann_mnist/outputs.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "apps/common/data/digit_files.h"
#include "apps/common/data/mnist_m.h"
#include "apps/common/run/config_file.h"
#include "apps/common/run/output_file.h"
#include "apps/common/usage_error.h"
#include "runtime/atomic_file.h"

namespace gradflip {
namespace {

namespace fs = std::filesystem;

Plan asked_for(const Arguments& arguments) { return {arguments.modes, arguments.seeds}; }

// One name for a file, whatever path or link leads to it.
fs::path the_file(const fs::path& path) {
  std::error_code error;
  fs::path file = fs::weakly_canonical(path, error);
  return error ? fs::absolute(path) : file;
}

struct Output {
  std::string option;
  fs::path path;
};

std::vector<Output> outputs_of(const Arguments& arguments) {
  std::vector<Output> outputs;
  if (arguments.save_config) outputs.push_back({"--save-config", *arguments.save_config});
  if (!arguments.save) return outputs;
  const Plan plan = asked_for(arguments);
  for (std::int64_t i = 0; i < plan.seeds; ++i) {
    for (const std::string& mode : plan.modes) {
      outputs.push_back(
          {"--save",
           weights_file(arguments, mode, arguments.first_seed + static_cast<std::uint64_t>(i))});
    }
  }
  return outputs;
}

using Files = std::vector<fs::path>;

// Both parts, under every name, where the reader of digits looks for them.
Files digit_files(const fs::path& folder) {
  const fs::path place = place_of_digits(folder);
  Files files;
  for (const auto& part : {kTrain, kTest}) {
    for (const auto& kind : {kImages, kLabels}) {
      const Files found = digit_files_in(place, part, kind);
      files.insert(files.end(), found.begin(), found.end());
    }
  }
  return files;
}

// The photographs of both parts.
Files photographs(const fs::path& folder, Blend blend) {
  Photographs found = list_photographs(folder, blend);
  found.train.insert(found.train.end(), found.test.begin(), found.test.end());
  return found.train;
}

// Every file that is read, with what it is for: the readers know which these are.
std::map<fs::path, std::string> inputs_of(const Arguments& arguments) {
  std::map<fs::path, std::string> inputs;
  if (arguments.config) inputs[the_file(*arguments.config)] = "--config";
  const auto add = [&](const char* option, const std::optional<fs::path>& folder,
                       const std::function<Files(const fs::path&)>& files_in) {
    if (!folder) return;
    try {
      for (const fs::path& file : files_in(*folder)) inputs.emplace(the_file(file), option);
    } catch (const std::runtime_error&) {
      // What a reader refuses is its own to say when it reads.
    }
  };
  const DataArguments& data = arguments.data;
  add("--source", data.source, digit_files);
  add("--target", data.target, digit_files);
  add("--target-test", data.target_test, digit_files);
  // For either blend: photographs that this one leaves aside are no less worth.
  for (const Blend blend : {Blend::kDifference, Blend::kInvert}) {
    add("--photos", data.photos,
        [&](const fs::path& folder) { return photographs(folder, blend); });
  }
  return inputs;
}

void require_apart(const Arguments& arguments, const std::vector<Output>& outputs) {
  if (outputs.empty()) return;
  const std::map<fs::path, std::string> inputs = inputs_of(arguments);
  std::map<fs::path, std::string> written;
  for (const Output& output : outputs) {
    require_apart_from_streams(output.option, output.path);
    const fs::path file = the_file(output.path);
    const auto read = inputs.find(file);
    if (read != inputs.end()) {
      throw UsageError(fmt::format("{} {} would replace a file that {} reads; choose another name",
                                   output.option, output.path.string(), read->second));
    }
    const auto [other, is_new] = written.emplace(file, output.option);
    if (!is_new) {
      throw UsageError(fmt::format("{} and {} would both write {}; choose another name",
                                   other->second, output.option, output.path.string()));
    }
  }
}

}  // namespace

fs::path weights_file(const Arguments& arguments, const std::string& mode, std::uint64_t seed) {
  if (asked_for(arguments).runs() == 1) return *arguments.save;
  return with_suffix(*arguments.save, fmt::format("{}-seed{}", mode, seed));
}

void require_outputs(const Arguments& arguments) {
  const std::vector<Output> outputs = outputs_of(arguments);
  if (arguments.save) require_apart_from_streams("--save", *arguments.save);
  require_apart(arguments, outputs);
  // The name as it was given comes first: a folder there is a slip, also where names are made of
  // it.
  if (arguments.save) require_writable(*arguments.save);
  for (const Output& output : outputs) require_writable(output.path);
  if (arguments.save_config) config_text(config_of(arguments));
}

void write_config(const Arguments& arguments) {
  if (!arguments.save_config) return;
  const std::string text = config_text(config_of(arguments));
  write_file_atomically(*arguments.save_config, std::as_bytes(std::span(text)));
}

}  // namespace gradflip
