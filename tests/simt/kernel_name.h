// The name of a function from its address, for messages: kernels live in anonymous namespaces, so
// the symbol table of the executable is read, not only the dynamic one.
#pragma once

#include <string>

namespace simt {

// Demangled, with template arguments and without parameters and anonymous namespaces. An address
// in hexadecimal if the executable is stripped. Looked up once.
const std::string& kernel_name(const void* function);

}  // namespace simt
