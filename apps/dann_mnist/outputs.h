// The files that an experiment writes.
#pragma once

#include <cstdint>
#include <filesystem>

#include "apps/common/report/run_result.h"
#include "apps/dann_mnist/arguments.h"

namespace gradflip {

// Where the weights of a run go, --save having been given: the name itself for a single run, one
// with mode and seed for each of several.
std::filesystem::path weights_file(const Arguments& arguments, const std::string& mode,
                                   std::uint64_t seed);

// Before anything else is done: refuses, as a usage error, two outputs that would be one file, an
// output that would replace a file which this experiment reads or one that its standard output or
// error goes to, and options that --save-config cannot write; tries every file that will be written
// (IoError). Changes nothing.
void require_outputs(const Arguments& arguments);

// Writes --save-config, if it was given. Called when nothing is left to refuse: a command line that
// does not run replaces no file.
void write_config(const Arguments& arguments);

}  // namespace gradflip
