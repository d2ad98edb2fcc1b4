#include "tests/simt/census.h"

#include <map>

namespace simt {
namespace {

std::string activity(const Thread& thread) {
  switch (thread.state) {
    case Thread::State::kReady:
      return "could go on";
    case Thread::State::kAtBlockBarrier:
      return "wait at __syncthreads " + text(thread.site);
    case Thread::State::kAtWarpOp:
      return std::string("wait at ") + name_of(thread.op) + " " + text(thread.site);
    case Thread::State::kExited:
      return "exited";
  }
  return "?";
}

}  // namespace

std::string census(const std::vector<Thread>& threads) {
  struct Group {
    unsigned threads = 0;
    uint3 first{};
  };
  std::map<std::string, Group> groups;
  for (const Thread& thread : threads) {
    Group& group = groups[activity(thread)];
    if (group.threads++ == 0) group.first = thread.index;
  }
  std::string result;
  for (const auto& [what, group] : groups) {
    result += "; " + std::to_string(group.threads) + " thread(s) " + what + " (first " +
              text(group.first) + ")";
  }
  return result;
}

std::string text(uint3 index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," +
         std::to_string(index.z) + ")";
}

const char* name_of(WarpOp op) {
  switch (op) {
    case WarpOp::kSync:
      return "__syncwarp";
    case WarpOp::kShuffle:
      return "a shuffle";
    case WarpOp::kVote:
      return "a vote";
    case WarpOp::kGather:
      return "a warp reduction";
    case WarpOp::kLdmatrix:
      return "ldmatrix";
    case WarpOp::kMma:
      return "mma";
  }
  return "?";
}

}  // namespace simt
