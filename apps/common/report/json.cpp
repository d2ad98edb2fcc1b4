#include "apps/common/report/json.h"

#include <optional>
#include <string>

namespace gradflip {
namespace {

Json number(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

// Seconds, and shares of them.
Json wall_json(const WallTime& wall) {
  return {{"seconds", wall.seconds},
          {"steps", wall.share(wall.steps)},
          {"evaluation", wall.share(wall.evaluation)},
          {"data", wall.share(wall.data)},
          {"other", wall.share(wall.other())}};
}

Json error_json(const RunError& error) {
  return {{"code", error.code}, {"message", error.message}};
}

// The accuracies of a run: none if it failed, and none on a target without labels.
void add_accuracies(Json& json, const RunResult& run, const EpochResult* epoch) {
  if (run.error) return;
  json["source_test_accuracy"] =
      epoch == nullptr ? Json(nullptr) : Json(epoch->source_test_accuracy);
  if (!run.measures_target) return;
  json["target_test_accuracy"] =
      epoch == nullptr ? Json(nullptr) : number(epoch->target_test_accuracy);
}

// What a mean of the last epoch is called in a run's row: an accuracy as the test accuracies there,
// which are of the last epoch, too.
std::string final_name(const std::string& name) {
  return name.ends_with("_accuracy") ? name : "final_" + name;
}

// Of a schedule the last value says nothing of the run.
void add_final_means(Json& json, const std::vector<ReportColumn>& columns,
                     const EpochResult* last) {
  for (const ReportColumn& column : columns) {
    if (column.last) continue;
    json.emplace(final_name(column.name), last == nullptr
                                              ? Json(nullptr)
                                              : number(find_reported(last->reported, column.name)));
  }
}

Json epoch_json(const RunResult& run, const std::vector<ReportColumn>& columns,
                const EpochResult& epoch) {
  Json json = {{"epoch", epoch.epoch}, {"steps", epoch.steps}};
  for (const ReportColumn& column : columns) {
    json.emplace(column.name, number(find_reported(epoch.reported, column.name)));
  }
  add_accuracies(json, run, &epoch);
  json["seconds"] = epoch.seconds;
  return json;
}

Json run_json(const RunResult& run, const std::vector<ReportColumn>& columns) {
  const EpochResult* last = run.history.empty() ? nullptr : &run.history.back();
  Json json = {{"mode", run.mode},
               {"seed", run.seed},
               {"completed", run.completed},
               {"steps", run.steps},
               {"seconds", run.seconds},
               {"evaluation_seconds", run.evaluation_seconds},
               {"images_per_second", run.images_per_second},
               {"seconds_per_source_epoch", run.seconds_per_source_epoch()},
               {"wall", wall_json(run.wall_time())}};
  if (run.error) {
    json["error"] = error_json(*run.error);
  } else {
    add_final_means(json, columns, last);
  }
  add_accuracies(json, run, last);
  if (!run.error && run.measures_target) {
    json["oracle_target_test_accuracy"] = number(run.oracle_target_test_accuracy());
  }
  if (run.save_error) json["save_error"] = error_json(*run.save_error);
  json["history"] = Json::array();
  for (const EpochResult& epoch : run.history) {
    json["history"].push_back(epoch_json(run, columns, epoch));
  }
  return json;
}

Json statistics_json(const Statistics& statistics) {
  return {{"mean", statistics.mean}, {"std", number(statistics.deviation)}};
}

Json summary_json(const Summary& summary, const Plan& plan) {
  Json json = Json::object();
  for (const ModeSummary& mode : summary.modes) {
    Json& entry = json[mode.mode];
    entry = {{"runs", mode.runs},
             {"planned", plan.seeds},
             {"source_test_accuracy", statistics_json(mode.source_test_accuracy)}};
    if (!mode.target_test_accuracy) continue;
    entry["target_test_accuracy"] = statistics_json(*mode.target_test_accuracy);
    entry["oracle_target_test_accuracy"] = statistics_json(*mode.oracle_target_test_accuracy);
    entry["gap_closed"] = number(mode.gap_closed);
  }
  return json;
}

Json text_or_null(const std::optional<std::string>& text) {
  return text ? Json(*text) : Json(nullptr);
}

}  // namespace

Json report(const ReportContext& context, const std::vector<RunResult>& runs) {
  Json json = {{"version", context.version},
               {"device", text_or_null(context.device)},
               {"device_reason", text_or_null(context.device_reason)},
               {"precision", context.precision},
               {"threads", context.threads},
               {"preset", context.preset},
               {"config", context.config},
               {"data", context.data},
               {"notes", context.notes},
               {"wall", wall_json(context.wall)},
               {"exit_code", context.exit_code}};
  if (context.error) json["error"] = error_json(*context.error);
  json["runs"] = Json::array();
  const std::vector<ReportColumn> columns = columns_of(runs);
  for (const RunResult& run : runs) json["runs"].push_back(run_json(run, columns));
  json["summary"] = summary_json(summarize(runs), context.plan);
  return json;
}

std::string text_of(const Json& document) {
  return document.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gradflip
