#include "apps/common/report/json.h"

#include <optional>

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

Json epoch_json(const EpochResult& epoch) {
  return {{"epoch", epoch.epoch},
          {"steps", epoch.steps},
          {"label_loss", epoch.label_loss},
          {"domain_loss", number(epoch.domain_loss)},
          {"domain_accuracy", number(epoch.domain_accuracy)},
          {"lambda", number(epoch.lambda)},
          {"learning_rate", epoch.learning_rate},
          {"source_test_accuracy", epoch.source_test_accuracy},
          {"target_test_accuracy", epoch.target_test_accuracy},
          {"seconds", epoch.seconds}};
}

Json run_json(const RunResult& run) {
  const EpochResult* last = run.history.empty() ? nullptr : &run.history.back();
  const auto of_last = [&](auto member) {
    return last == nullptr ? Json(nullptr) : number(last->*member);
  };
  Json json = {{"mode", name_of(run.mode)},
               {"seed", run.seed},
               {"steps", run.steps},
               {"seconds", run.seconds},
               {"evaluation_seconds", run.evaluation_seconds},
               {"images_per_second", run.images_per_second},
               {"seconds_per_source_epoch", run.seconds_per_source_epoch()},
               {"wall", wall_json(run.wall_time())},
               {"final_label_loss", of_last(&EpochResult::label_loss)},
               {"final_domain_loss", of_last(&EpochResult::domain_loss)},
               {"domain_accuracy", of_last(&EpochResult::domain_accuracy)},
               {"source_test_accuracy", of_last(&EpochResult::source_test_accuracy)},
               {"target_test_accuracy", of_last(&EpochResult::target_test_accuracy)},
               {"oracle_target_test_accuracy", number(run.oracle_target_test_accuracy())},
               {"history", Json::array()}};
  for (const EpochResult& epoch : run.history) json["history"].push_back(epoch_json(epoch));
  return json;
}

Json statistics_json(const Statistics& statistics) {
  return {{"mean", statistics.mean}, {"std", number(statistics.deviation)}};
}

Json summary_json(const Summary& summary) {
  Json json = Json::object();
  for (const ModeSummary& mode : summary.modes) {
    json[name_of(mode.mode)] = {
        {"runs", mode.runs},
        {"source_test_accuracy", statistics_json(mode.source_test_accuracy)},
        {"target_test_accuracy", statistics_json(mode.target_test_accuracy)},
        {"oracle_target_test_accuracy", statistics_json(mode.oracle_target_test_accuracy)}};
  }
  json["gap_closed"] = number(summary.gap_closed);
  return json;
}

}  // namespace

Json report(const ReportContext& context, const std::vector<RunResult>& runs) {
  Json json = {{"version", context.version},
               {"device", context.device},
               {"device_reason", context.device_reason},
               {"precision", context.precision},
               {"threads", context.threads},
               {"preset", context.preset},
               {"config", context.config},
               {"data", context.data},
               {"wall", wall_json(context.wall)},
               {"runs", Json::array()}};
  for (const RunResult& run : runs) json["runs"].push_back(run_json(run));
  json["summary"] = summary_json(summarize(runs));
  return json;
}

}  // namespace gradflip
