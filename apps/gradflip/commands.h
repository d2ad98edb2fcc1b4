// The commands of `gradflip`, one file each. Adding one to the app declares its options; parsing it
// stores what to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "apps/common/run/signals.h"

namespace gradflip {

// Returns the exit code. Asked to stop, it ends soon and leaves no part of its output: 128 + the
// signal's number if it is not done by then.
using Command = std::function<int(const StopRequest&)>;

// gradflip data, with its own commands.
void add_data_command(CLI::App& app, Command* chosen);

// gradflip data mnist-m: builds MNIST-M from digits and photographs.
void add_mnist_m_command(CLI::App& data, Command* chosen);

// gradflip data preview: a sheet of pictures and what an augmentation makes of them.
void add_preview_command(CLI::App& data, Command* chosen);

}  // namespace gradflip
