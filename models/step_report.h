// What training says of its steps: numbers by name. A method declares which; nobody above it spells
// them again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradflip {

// One of the numbers that every step reports.
struct ReportColumn {
  std::string name;   // as JSON has it: "domain_loss"
  bool last = false;  // of several steps the last one counts, as for a schedule; else their mean

  friend bool operator==(const ReportColumn& a, const ReportColumn& b) = default;
};

// What it was in a step, or over several.
struct Reported {
  std::string name;
  double value = 0.0;
  bool last = false;

  friend bool operator==(const Reported& a, const Reported& b) = default;
};

// The value of that name; empty if there is none.
std::optional<double> find_reported(std::span<const Reported> values, std::string_view name);

struct StepReport {
  std::int64_t steps = 0;        // how many steps the values cover
  std::vector<Reported> values;  // in the order in which they were declared

  std::optional<double> find(std::string_view name) const { return find_reported(values, name); }

  friend bool operator==(const StepReport& a, const StepReport& b) = default;
};

// Puts a report together. The sums are f64 and grow by one step at a time, in order: the same steps
// give the same bits whatever the calls that ran them. Allocates nothing as long as every step
// tells the same columns.
class StepMeans {
 public:
  StepMeans() = default;
  // Throws std::invalid_argument for a column without a name, and for two of one name.
  explicit StepMeans(std::span<const ReportColumn> columns);

  // One step's values, of the columns at these places. A column's mean is over the steps that told
  // it. Throws std::invalid_argument unless there is a value for each place, and a column there.
  void add(std::span<const double> step, std::span<const std::size_t> places);
  // Forgets the steps.
  void clear();
  // Of the steps since the last clear(): the columns that one of them told, in their order. Zeros
  // where there was no step.
  const StepReport& report() const { return report_; }

 private:
  struct Sum {
    Reported reported;  // as the report shows it
    double sum = 0.0;
    std::int64_t steps = 0;
  };
  void show();

  std::vector<Sum> sums_;  // of all columns
  StepReport report_;
};

}  // namespace gradflip
