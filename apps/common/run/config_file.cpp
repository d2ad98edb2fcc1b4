#include "apps/common/run/config_file.h"

#include <algorithm>
#include <istream>
#include <memory>
#include <sstream>
#include <string_view>

#include "apps/common/cli.h"
#include "apps/common/option_values.h"
#include "apps/common/shown.h"
#include "apps/common/usage_error.h"

namespace gradflip {
namespace {

constexpr const char* kBlank = " \t";

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

[[noreturn]] void refuse(int line, const std::string& why) {
  throw CLI::ConfigError("--config: line " + std::to_string(line) + ": " + why);
}

// A quoted string at the front of `text`; `end` becomes the position after its closing quote.
std::string quoted(const std::string& text, int line, std::size_t& end) {
  const char quote = text[0];
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == quote) {
      end = i + 1;
      return value;
    }
    if (quote == '"' && text[i] == '\\') {
      if (i + 1 == text.size() || (text[i + 1] != '"' && text[i + 1] != '\\')) {
        refuse(line, R"(a backslash in a "string" stands before \ or " only)");
      }
      ++i;
    }
    value += text[i];
  }
  refuse(line, "the quoted string does not end");
}

// The value at the front of `text`, which may be empty.
std::string value_of(const std::string& text, int line) {
  if (text.empty()) return "";
  if (text[0] != '"' && text[0] != '\'') return trimmed(text.substr(0, text.find('#')));
  std::size_t end = 0;
  std::string value = quoted(text, line, end);
  const std::string rest = trimmed(text.substr(end));
  if (!rest.empty() && rest[0] != '#')
    refuse(line, "there is more after the value: " + shown(rest));
  return value;
}

// More than any configuration takes, and little enough to be read before it is looked at.
constexpr std::size_t kMaxBytes = 1 << 20;

// Every end of a line, CR LF or CR alone, as LF.
std::string with_plain_line_ends(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    plain += text[i] == '\r' ? '\n' : text[i];
  }
  return plain;
}

// The whole file without its byte-order mark, which editors put there and nobody sees.
std::string text_of(std::istream& input) {
  std::string text(kMaxBytes + 1, '\0');
  input.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(input.gcount()));
  if (text.size() > kMaxBytes) refuse(1, "the file is no configuration: it is larger than 1 MiB");
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    refuse(1, "the file is in UTF-16; save it as UTF-8");
  }
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.starts_with(kMark)) text.erase(0, kMark.size());
  return with_plain_line_ends(text);
}

class KeyValueConfig final : public CLI::Config {
 public:
  KeyValueConfig(const CLI::App& app, std::vector<Alternatives> alternatives,
                 std::vector<Replacement> replacements)
      : app_(app), alternatives_(std::move(alternatives)), replacements_(std::move(replacements)) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::istringstream lines(text_of(input));
    std::vector<CLI::ConfigItem> read;
    int line = 0;
    for (std::string raw; std::getline(lines, raw);) {
      ++line;
      const std::string text = trimmed(raw);
      if (text.empty() || text[0] == '#') continue;
      const auto equals = text.find('=');
      if (equals == std::string::npos) refuse(line, shown(text) + " is no key = value");
      CLI::ConfigItem item;
      item.name = trimmed(text.substr(0, equals));
      require_known(item.name, line);
      item.inputs = {value_of(trimmed(text.substr(equals + 1)), line)};
      if (is_blank(item.inputs.front())) {
        refuse(line, "the value of " + item.name + " is empty; give one or leave the line out");
      }
      const bool again = std::any_of(read.begin(), read.end(), [&](const CLI::ConfigItem& other) {
        return other.name == item.name;
      });
      if (again) refuse(line, item.name + " is set a second time");
      read.push_back(item);
    }
    std::erase_if(read, [&](const CLI::ConfigItem& item) { return replaced(item.name); });
    return read;
  }

  std::string to_flag(const CLI::ConfigItem& item) const override {
    require_flag_value("--" + item.name, item.inputs.front());
    return item.inputs.front();
  }

  std::string to_config(const CLI::App* /*app*/, bool /*default_also*/, bool /*write_description*/,
                        std::string /*prefix*/) const override {
    throw std::logic_error("config_text() writes configurations");
  }

 private:
  void require_known(const std::string& key, int line) const {
    std::vector<std::string> known;
    for (const CLI::Option* option : app_.get_options()) {
      if (!option->get_configurable()) continue;
      for (const std::string& name : option->get_lnames()) known.push_back(name);
    }
    if (std::find(known.begin(), known.end(), key) != known.end()) return;
    const std::string nearest = nearest_name(key, known);
    refuse(line, "unknown option " + shown(key) +
                     (nearest.empty() ? std::string() : "; did you mean " + nearest + "?"));
  }

  bool given(const std::string& name) const { return app_.count("--" + name) > 0; }

  bool replaced(const std::string& key) const {
    const auto holds_key = [&](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), key) != names.end();
    };
    const auto by_alternative = [&](const Alternatives& group) {
      return holds_key(group) && std::any_of(group.begin(), group.end(),
                                             [&](const std::string& name) { return given(name); });
    };
    const auto by_replacement = [&](const Replacement& replacement) {
      return holds_key(replacement.in_file) && given(replacement.given);
    };
    return std::any_of(alternatives_.begin(), alternatives_.end(), by_alternative) ||
           std::any_of(replacements_.begin(), replacements_.end(), by_replacement);
  }

  const CLI::App& app_;
  std::vector<Alternatives> alternatives_;
  std::vector<Replacement> replacements_;
};

std::string quoted_value(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '\n' || c == '\r') {
      throw UsageError("--save-config: a value holds a line break, which a line cannot: " +
                       shown(value));
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

}  // namespace

void add_config_option(CLI::App& app, std::vector<Alternatives> alternatives,
                       std::vector<Replacement> replacements) {
  app.set_config("--config", "", "options from a file; the command line is stronger")
      ->type_name("FILE")
      ->configurable(false);
  app.config_formatter(
      std::make_shared<KeyValueConfig>(app, std::move(alternatives), std::move(replacements)));
}

std::string config_text(const nlohmann::ordered_json& config) {
  std::string text;
  for (const auto& [key, value] : config.items()) {
    if (value.is_null()) continue;
    text += key + " = ";
    text += value.is_string() ? quoted_value(value.get<std::string>()) : value.dump();
    text += "\n";
  }
  return text;
}

}  // namespace gradflip
