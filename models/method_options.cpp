#include "models/method_options.h"

#include "models/methods/dann_options.h"

namespace gradflip {

std::list<MethodOptions> options_of_methods() {
  return {
      method_options<DannOptions>(),
  };
}

}  // namespace gradflip
