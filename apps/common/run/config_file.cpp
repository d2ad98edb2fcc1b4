#include "apps/common/run/config_file.h"

#include <algorithm>
#include <istream>
#include <memory>

#include "apps/common/cli.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr const char* kBlank = " \t\r";

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

[[noreturn]] void refuse(int line, const std::string& why) {
  throw CLI::ConfigError(message("--config: line ", line, ": ", why));
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

std::string value_of(const std::string& text, int line) {
  if (text.empty() || text[0] == '#') refuse(line, "there is no value after =");
  if (text[0] != '"' && text[0] != '\'') return trimmed(text.substr(0, text.find('#')));
  std::size_t end = 0;
  std::string value = quoted(text, line, end);
  const std::string rest = trimmed(text.substr(end));
  if (!rest.empty() && rest[0] != '#') refuse(line, "there is more after the value: " + rest);
  return value;
}

class KeyValueConfig final : public CLI::Config {
 public:
  KeyValueConfig(const CLI::App& app, std::vector<Alternatives> alternatives)
      : app_(app), alternatives_(std::move(alternatives)) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::vector<CLI::ConfigItem> read;
    int line = 0;
    for (std::string raw; std::getline(input, raw);) {
      ++line;
      const std::string text = trimmed(raw);
      if (text.empty() || text[0] == '#') continue;
      const auto equals = text.find('=');
      if (equals == std::string::npos) refuse(line, "\"" + text + "\" is no key = value");
      CLI::ConfigItem item;
      item.name = trimmed(text.substr(0, equals));
      item.inputs = {value_of(trimmed(text.substr(equals + 1)), line)};
      require_known(item.name, line);
      const bool again = std::any_of(read.begin(), read.end(), [&](const CLI::ConfigItem& other) {
        return other.name == item.name;
      });
      if (again) refuse(line, item.name + " is set a second time");
      read.push_back(item);
    }
    std::erase_if(read, [&](const CLI::ConfigItem& item) { return replaced(item.name); });
    return read;
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
    refuse(line, "unknown option " + key +
                     (nearest.empty() ? std::string() : "; did you mean " + nearest + "?"));
  }

  bool given(const std::string& name) const { return app_.count("--" + name) > 0; }

  bool replaced(const std::string& key) const {
    return std::any_of(alternatives_.begin(), alternatives_.end(), [&](const Alternatives& group) {
      return std::find(group.begin(), group.end(), key) != group.end() &&
             std::any_of(group.begin(), group.end(),
                         [&](const std::string& name) { return given(name); });
    });
  }

  const CLI::App& app_;
  std::vector<Alternatives> alternatives_;
};

std::string quoted_value(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    GRADFLIP_REQUIRE(c != '\n' && c != '\r',
                     "--save-config: a value holds a line break, which a line cannot: " + value);
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

}  // namespace

void add_config_option(CLI::App& app, std::vector<Alternatives> alternatives) {
  app.set_config("--config", "", "options from a file; the command line is stronger")
      ->type_name("FILE")
      ->configurable(false);
  app.config_formatter(std::make_shared<KeyValueConfig>(app, std::move(alternatives)));
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
