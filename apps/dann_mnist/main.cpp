#include "apps/common/cli.h"
#include "apps/common/run/signals.h"
#include "apps/dann_mnist/arguments.h"
#include "apps/dann_mnist/program.h"

int main(int argc, char** argv) {
  gradflip::let_writes_fail();
  gradflip::CommandLine command_line;
  return gradflip::run_app(command_line.app(), argc, argv, [&] {
    const gradflip::StopRequest stop;
    return gradflip::run_program(command_line.arguments(), stop);
  });
}
