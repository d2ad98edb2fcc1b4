// The commands of `gradflip`, one file each. Adding one to the app declares its options; parsing it
// stores what to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace gradflip {

using Command = std::function<int()>;  // returns the exit code

// gradflip data mnist-m: builds MNIST-M from digits and photographs.
void add_data_command(CLI::App& app, Command* chosen);

}  // namespace gradflip
