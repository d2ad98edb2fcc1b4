#include "models/step_report.h"

#include <algorithm>

#include "kernels/require.h"

namespace gradflip {

std::optional<double> find_reported(std::span<const Reported> values, std::string_view name) {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [&](const Reported& each) { return each.name == name; });
  if (found == values.end()) return {};
  return found->value;
}

StepMeans::StepMeans(std::span<const ReportColumn> columns) : sums_(columns.size(), 0.0) {
  for (const ReportColumn& column : columns) {
    GRADFLIP_REQUIRE(!column.name.empty(), "step means: a column has no name");
    GRADFLIP_REQUIRE(!report_.find(column.name),
                     message("step means: two columns are called ", column.name));
    report_.values.push_back({column.name, 0.0, column.last});
  }
}

void StepMeans::add(std::span<const double> step) {
  GRADFLIP_REQUIRE(step.size() == sums_.size(),
                   message("step means: ", step.size(), " values for ", sums_.size(), " columns"));
  ++report_.steps;
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    Reported& reported = report_.values[i];
    sums_[i] += step[i];
    reported.value = reported.last ? step[i] : sums_[i] / static_cast<double>(report_.steps);
  }
}

void StepMeans::clear() {
  report_.steps = 0;
  std::fill(sums_.begin(), sums_.end(), 0.0);
  for (Reported& reported : report_.values) reported.value = 0.0;
}

}  // namespace gradflip
