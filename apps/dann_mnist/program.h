// dann_mnist from its arguments to its exit code.
#pragma once

#include "apps/common/run/signals.h"
#include "apps/dann_mnist/arguments.h"

namespace gradflip {

// Checks what can be checked, loads the data, trains what was asked for and writes the results to
// stdout: with --json one document, whatever happens but a usage error; else the table, once there
// is a completed run to show. A run that fails is a row with its error, and the others go on.
// Returns the exit code; what failed is said on stderr, in one line at the end. Throws usage
// errors, and IoError if stdout does not take the results, which then are on stderr.
int run_program(const Arguments& arguments, const StopRequest& stop);

}  // namespace gradflip
