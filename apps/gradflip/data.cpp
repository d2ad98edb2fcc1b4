#include "apps/gradflip/commands.h"

namespace gradflip {

void add_data_command(CLI::App& app, Command* chosen) {
  CLI::App* data = app.add_subcommand("data", "Build data sets, and look at them");
  data->require_subcommand(1);
  add_mnist_m_command(*data, chosen);
  add_preview_command(*data, chosen);
}

}  // namespace gradflip
