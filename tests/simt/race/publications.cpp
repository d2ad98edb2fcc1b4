#include "tests/simt/race/publications.h"

#include <algorithm>

namespace simt::race {

void Publications::begin_launch() { counters_.clear(); }

void Publications::begin_block(unsigned threads, Interval first) {
  for (unsigned thread : touched_) threads_[thread] = {};
  touched_.clear();
  threads_.resize(threads);
  block_ = {};
  block_first_ = first;
}

Publications::Knowledge& Publications::touch(unsigned thread) {
  Knowledge& knowledge = threads_[thread];
  if (!knowledge.touched) {
    knowledge.touched = true;
    touched_.push_back(thread);
  }
  return knowledge;
}

void Publications::add(std::vector<Receipt>& receipts, const Receipt& receipt) {
  const auto same = [&](const Receipt& r) { return r.counter == receipt.counter; };
  const auto known = std::find_if(receipts.begin(), receipts.end(), same);
  if (known == receipts.end()) {
    receipts.push_back(receipt);
  } else {
    known->length = std::max(known->length, receipt.length);
  }
}

// Of two horizons in different intervals the later one covers the earlier one's accesses.
void Publications::add(Horizon& sum, const Horizon& part) {
  for (const Receipt& receipt : part.receipts) add(sum.receipts, receipt);
  if (part.interval < sum.interval || part.empty()) return;
  if (part.interval > sum.interval) {
    sum.block = part.block;
    sum.interval = part.interval;
    sum.rows = part.rows;
    return;
  }
  for (const auto& [warp, row] : part.rows) {
    WarpClocks::Row& total = sum.rows[warp];
    for (unsigned lane = 0; lane < WarpClocks::kLanes; ++lane) {
      total[lane] = std::max(total[lane], row[lane]);
    }
  }
}

void Publications::block_barrier() {
  for (unsigned thread : touched_) {
    add(block_.fenced, threads_[thread].fenced);
    for (const Receipt& receipt : threads_[thread].receipts) add(block_.receipts, receipt);
    threads_[thread] = {};
  }
  touched_.clear();
}

void Publications::fence(unsigned thread, Interval now, const WarpClocks& clocks) {
  Horizon horizon;
  horizon.block = block_first_;
  horizon.interval = now;
  horizon.rows[thread / WarpClocks::kLanes] = clocks.row(thread);
  Knowledge& knowledge = touch(thread);
  horizon.receipts = knowledge.receipts;
  for (const Receipt& receipt : block_.receipts) add(horizon.receipts, receipt);
  add(knowledge.fenced, horizon);
}

void Publications::atomic(unsigned thread, const void* address) {
  Horizon published = block_.fenced;
  add(published, threads_[thread].fenced);
  auto counter = counters_.find(address);
  if (published.empty() && counter == counters_.end()) return;
  if (counter == counters_.end()) counter = counters_.try_emplace(address).first;
  Counter& log = counter->second;
  if (!published.empty()) {
    std::vector<std::size_t>& entries = log.entries_of[published.block];
    if (entries.empty() || !(log.log[entries.back()] == published)) {
      entries.push_back(log.log.size());
      log.log.push_back(std::move(published));
    }
  }
  add(touch(thread).receipts, {&log, log.log.size()});
}

bool Publications::covers(const Horizon& horizon, const Access& access) {
  if (access.interval() != horizon.interval) return access.interval() < horizon.interval;
  const auto row = horizon.rows.find(access.thread() / WarpClocks::kLanes);
  return row != horizon.rows.end() &&
         WarpClocks::covers(row->second, access.thread(), access.clock());
}

bool Publications::find(const std::vector<Receipt>& receipts, const Access& access, Interval block,
                        std::set<const Horizon*>& visited) {
  for (const Receipt& receipt : receipts) {
    const Counter& counter = *receipt.counter;
    if (const auto entries = counter.entries_of.find(block); entries != counter.entries_of.end()) {
      for (std::size_t entry : entries->second) {
        if (entry < receipt.length && covers(counter.log[entry], access)) return true;
      }
    }
    // What the publishing blocks had received themselves.
    for (std::size_t entry = 0; entry < receipt.length; ++entry) {
      const Horizon& horizon = counter.log[entry];
      if (horizon.receipts.empty() || !visited.insert(&horizon).second) continue;
      if (find(horizon.receipts, access, block, visited)) return true;
    }
  }
  return false;
}

bool Publications::received(unsigned thread, const Access& access, Interval block) const {
  std::set<const Horizon*> visited;
  return find(threads_[thread].receipts, access, block, visited) ||
         find(block_.receipts, access, block, visited);
}

}  // namespace simt::race
