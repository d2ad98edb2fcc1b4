// The user asked for something that cannot be done as asked: exit code 2. std::invalid_argument is
// another matter, a contract that some code of this program broke (kernels/require.h): exit code 1.
#pragma once

#include <stdexcept>

namespace gradflip {

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// For the places where words of the user reach a library: returns what `read` returns, and turns
// the std::invalid_argument with which a library refuses them into a UsageError.
template <typename Read>
auto as_usage(const Read& read) {
  try {
    return read();
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
}

}  // namespace gradflip
