// Who waits where: what a message about a deadlock says.
#pragma once

#include <string>
#include <vector>

#include "tests/simt/thread.h"

namespace simt {

// "; 32 thread(s) wait at __syncthreads f.cu:7 (first (0,0,0)); 32 thread(s) exited (first ...)"
std::string census(const std::vector<Thread>& threads);

std::string text(uint3 index);  // (x,y,z)
const char* name_of(WarpOp op);

}  // namespace simt
