// What the emulator throws when a kernel, its launch or its arguments are wrong.
#pragma once

#include <cstring>
#include <stdexcept>
#include <string>

namespace simt {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a device refuses before a block runs: the call returns cudaErrorInvalidValue. The emulator
// gets to know static shared memory only while it runs.
struct LaunchRefused : Error {
  using Error::Error;
};

// Where in a kernel a primitive is called. The functions of the CUDA language take it as a default
// argument, so that it names the kernel's own line.
struct Site {
  const char* file;
  int line;
};

// The same file has one address per translation unit, so equal addresses are the usual case.
inline bool same_site(Site a, Site b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}
std::string text(Site site);  // file:line

}  // namespace simt
