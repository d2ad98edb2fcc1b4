#include "apps/common/cli.h"
#include "apps/common/run/signals.h"
#include "apps/gradflip/commands.h"

int main(int argc, char** argv) {
  gradflip::let_writes_fail();
  CLI::App app("Domain-adversarial training: the work around it.", "gradflip");
  app.require_subcommand(1);
  gradflip::Command chosen;
  gradflip::add_data_command(app, &chosen);
  return gradflip::run_app(app, argc, argv, [&] {
    const gradflip::StopRequest stop;
    return chosen(stop);
  });
}
