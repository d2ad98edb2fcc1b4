#include "tests/simt/kernel_name.h"

#include <cxxabi.h>
#include <elf.h>
#include <link.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <vector>

namespace simt {
namespace {

// The loaded file that holds an address, and the address within it.
struct Module {
  std::string path;
  std::uintptr_t address = 0;
};

Module module_of(const void* function) {
  struct Search {
    std::uintptr_t wanted;
    Module found;
  } search{reinterpret_cast<std::uintptr_t>(function), {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t /*size*/, void* data) {
        auto& s = *static_cast<Search*>(data);
        for (int h = 0; h < info->dlpi_phnum; ++h) {
          const auto& header = info->dlpi_phdr[h];
          if (header.p_type != PT_LOAD) continue;
          const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
          if (s.wanted < begin || s.wanted >= begin + header.p_memsz) continue;
          const bool is_program = info->dlpi_name == nullptr || *info->dlpi_name == '\0';
          s.found = {is_program ? "/proc/self/exe" : info->dlpi_name, s.wanted - info->dlpi_addr};
          return 1;
        }
        return 0;
      },
      &search);
  return search.found;
}

// Reads a whole array of structures of a file; empty if the file ends before.
template <typename T>
std::vector<T> read_array(std::ifstream& file, std::uint64_t offset, std::size_t count) {
  std::vector<T> result(count);
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(reinterpret_cast<char*>(result.data()),
            static_cast<std::streamsize>(count * sizeof(T)));
  if (!file) result.clear();
  return result;
}

// The mangled name of the function at the module's address; empty if there is none.
std::string symbol_at(const Module& module) {
  std::ifstream file(module.path, std::ios::binary);
  const auto header = read_array<ElfW(Ehdr)>(file, 0, 1);
  if (header.empty()) return {};
  const auto sections = read_array<ElfW(Shdr)>(file, header[0].e_shoff, header[0].e_shnum);
  for (const auto& section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    const auto& strings = sections[section.sh_link];
    const auto names = read_array<char>(file, strings.sh_offset, strings.sh_size);
    for (const auto& symbol :
         read_array<ElfW(Sym)>(file, section.sh_offset, section.sh_size / sizeof(ElfW(Sym)))) {
      // ELF64_ST_TYPE and ELF32_ST_TYPE are the same
      const bool is_function = ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
      if (is_function && symbol.st_value == module.address && symbol.st_name < names.size()) {
        return &names[symbol.st_name];
      }
    }
  }
  return {};
}

std::string demangled(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? std::string(name.get()) : symbol;
}

void erase_all(std::string& text, const std::string& part) {
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part)) {
    text.erase(at, part.size());
  }
}

// "void ns::(anonymous namespace)::f<3>(int)" to "ns::f<3>".
std::string without_decoration(std::string name) {
  erase_all(name, "(anonymous namespace)::");
  if (const auto end = name.rfind(')'); end != std::string::npos) {
    int depth = 0;
    auto at = end;
    do {
      if (name[at] == ')') ++depth;
      if (name[at] == '(') --depth;
    } while (depth > 0 && at-- > 0);
    name.resize(at);
  }
  // A template's name begins with its result.
  const std::string result = "void ";
  if (name.compare(0, result.size(), result) == 0) name.erase(0, result.size());
  return name;
}

std::string look_up(const void* function) {
  const std::string symbol = symbol_at(module_of(function));
  if (!symbol.empty()) return without_decoration(demangled(symbol));
  char address[32];
  std::snprintf(address, sizeof address, "at %p", function);
  return address;
}

}  // namespace

const std::string& kernel_name(const void* function) {
  static std::map<const void*, std::string> names;
  const auto known = names.find(function);
  return known != names.end() ? known->second
                              : names.emplace(function, look_up(function)).first->second;
}

}  // namespace simt
