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

StepMeans::StepMeans(std::span<const ReportColumn> columns) {
  for (const ReportColumn& column : columns) {
    GRADFLIP_REQUIRE(!column.name.empty(), "report: a column has no name");
    GRADFLIP_REQUIRE(!report_.find(column.name), message("report: two columns are called ",
                                                         column.name, "; give one another name"));
    Sum& sum = sums_.emplace_back();
    sum.reported = {column.name, 0.0, column.last};
    report_.values.push_back(sum.reported);
  }
}

void StepMeans::add(std::span<const double> step, std::span<const std::size_t> places) {
  GRADFLIP_REQUIRE(step.size() == places.size() &&
                       std::all_of(places.begin(), places.end(),
                                   [&](std::size_t place) { return place < sums_.size(); }),
                   message("report: ", step.size(), " values for ", places.size(), " of ",
                           sums_.size(), " columns"));
  ++report_.steps;
  for (std::size_t i = 0; i < step.size(); ++i) {
    Sum& sum = sums_[places[i]];
    sum.sum += step[i];
    ++sum.steps;
    sum.reported.value = sum.reported.last ? step[i] : sum.sum / static_cast<double>(sum.steps);
  }
  show();
}

// The names that are shown change where a step tells other columns than those before it.
void StepMeans::show() {
  std::size_t shown = 0;
  bool same = true;
  for (const Sum& sum : sums_) {
    if (sum.steps == 0) continue;
    same = same && shown < report_.values.size() && report_.values[shown].name == sum.reported.name;
    if (same) report_.values[shown].value = sum.reported.value;
    ++shown;
  }
  if (same && shown == report_.values.size()) return;
  report_.values.clear();
  for (const Sum& sum : sums_) {
    if (sum.steps > 0) report_.values.push_back(sum.reported);
  }
}

void StepMeans::clear() {
  report_.steps = 0;
  for (Sum& sum : sums_) {
    sum.sum = 0.0;
    sum.steps = 0;
  }
  for (Reported& reported : report_.values) reported.value = 0.0;
}

}  // namespace gradflip
