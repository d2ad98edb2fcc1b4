#include "tests/simt/race/program.h"

#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace simt::race {
namespace {

std::string last_two_parts(std::string_view path) {
  const std::size_t last = path.rfind('/');
  if (last == std::string_view::npos || last == 0) return std::string(path);
  const std::size_t before = path.rfind('/', last - 1);
  return std::string(before == std::string_view::npos ? path : path.substr(before + 1));
}

// "/path/kernels/relu.cu:24 (discriminator 3)"
SourceLine parse_line(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  const std::string_view path = text.substr(0, colon);
  SourceLine line;
  line.file = last_two_parts(path);
  line.line = std::atoi(std::string(text.substr(colon + 1)).c_str());
  line.in_library = path.find("/include/c++/") != std::string_view::npos;
  return line;
}

bool is_emulator_header(std::string_view text) {
  return text.find("/simt/include/") != std::string_view::npos ||
         text.find("/simt/language/") != std::string_view::npos;
}

std::string hexadecimal(Pc pc) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%x", pc);
  return text;
}

// The call instruction, not the one after it, to which the pc points.
std::string address_of(Pc pc) { return hexadecimal(pc - 1); }

// What addr2line prints for these pcs: for each the address, then a line per inlined function,
// innermost first.
std::vector<std::string> run_addr2line(std::span<const Pc> pcs) {
  std::string command = "addr2line -i -a -e /proc/" + std::to_string(getpid()) + "/exe";
  for (Pc pc : pcs) command += " " + address_of(pc);
  command += " 2>/dev/null";
  std::vector<std::string> lines;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) return lines;
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, pipe.get()) != nullptr) {
    std::string_view text = buffer;
    lines.emplace_back(text.substr(0, text.find_last_not_of('\n') + 1));
  }
  return lines;
}

int add_segments(dl_phdr_info* image, std::size_t, void* segments) {
  for (int i = 0; i < image->dlpi_phnum; ++i) {
    const auto& header = image->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the loader gives addresses as integers
    const char* const begin = reinterpret_cast<const char*>(image->dlpi_addr + header.p_vaddr);
    static_cast<std::vector<std::pair<const char*, const char*>>*>(segments)->emplace_back(
        begin, begin + header.p_memsz);
  }
  return 0;
}

}  // namespace

const char* image_base() {
  // The executable is the first image that is listed.
  static const char* const base = [] {
    const char* address = nullptr;
    dl_iterate_phdr(
        [](dl_phdr_info* image, std::size_t, void* result) {
          // NOLINTNEXTLINE(performance-no-int-to-ptr)
          *static_cast<const char**>(result) = reinterpret_cast<const char*>(image->dlpi_addr);
          return 1;
        },
        &address);
    return address;
  }();
  return base;
}

void ProgramMemory::look() {
  segments_.clear();
  dl_iterate_phdr(add_segments, &segments_);
}

bool ProgramMemory::has(const void* p) {
  const auto inside = [address = static_cast<const char*>(p)](const auto& segment) {
    return address >= segment.first && address < segment.second;
  };
  if (std::any_of(segments_.begin(), segments_.end(), inside)) return true;
  look();  // an image may have been loaded since
  return std::any_of(segments_.begin(), segments_.end(), inside);
}

void SourceLines::look_up(std::span<const Pc> pcs) {
  constexpr std::size_t kAtOnce = 256;
  std::vector<Pc> unknown;
  for (Pc pc : pcs) {
    if (known_.try_emplace(pc, SourceLine{address_of(pc), 0, false}).second) {
      unknown.push_back(pc);
    }
  }
  for (std::size_t first = 0; first < unknown.size(); first += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, unknown.size() - first);
    const std::span<const Pc> batch = std::span(unknown).subspan(first, count);
    std::size_t next = 0;
    bool found = false;
    for (const std::string& text : run_addr2line(batch)) {
      if (text.starts_with("0x")) {
        ++next;
        found = false;
      } else if (!found && next > 0 && next <= batch.size()) {
        // The innermost line that is not the emulator's stand-in for an intrinsic.
        SourceLine line = parse_line(text);
        found = !is_emulator_header(text);
        if (line.line != 0) known_[batch[next - 1]] = std::move(line);
      }
    }
  }
}

const SourceLine& SourceLines::of(Pc pc) {
  look_up(std::span(&pc, 1));
  return known_.at(pc);
}

}  // namespace simt::race
