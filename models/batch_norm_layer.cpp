#include <array>
#include <vector>

#include "kernels/require.h"
#include "models/layers.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/moments.h"

namespace gradflip {
namespace {

constexpr std::array<const char*, 2> kDomainNames{"source", "target"};

class BatchNormLayer {
 public:
  BatchNormLayer(NetworkBuilder& network, const std::string& name, Value x,
                 const BatchNormOptions& options)
      : network_(network), name_(name), x_(x), type_(network.graph().type(x)), options_(options) {
    GRADFLIP_REQUIRE(type_.shape.rank() > 0 && !type_.rows.none(),
                     message(name, ": batch_norm of ", type_.text(), ", which has no channels"));
    GRADFLIP_REQUIRE(options.momentum > 0.0 && options.momentum <= 1.0 && options.epsilon > 0.0,
                     message(name, ": batch_norm with momentum ", options.momentum, " and epsilon ",
                             options.epsilon));
    channels_ = type_.shape[type_.shape.rank() - 1];
    find_groups();
  }

  Value training() {
    const std::vector<std::int64_t>& rows = network_.pass().training->rows;
    std::int64_t most_rows = 0;
    for (std::size_t segment = 0; segment < rows.size(); ++segment) {
      if (type_.rows.contains_segment(static_cast<int>(segment))) most_rows += rows[segment];
    }
    const Value moments = ops::batch_moments(network_.graph(), x_, groups_, most_rows, epsilon());
    for (std::size_t group = 0; group < groups_.size(); ++group) keep(moments, group);
    return normalised(moments, /*of_batch=*/true);
  }

  Value evaluation() {
    std::vector<ops::KnownStatistics> known;
    for (const int domain : domains_) {
      const std::string name = statistics_name(domain);
      known.push_back({channel(name + ".running_mean", 0.0F, false),
                       channel(name + ".running_var", 1.0F, false)});
    }
    return normalised(ops::known_moments(network_.graph(), known, epsilon()),
                      /*of_batch=*/false);
  }

 private:
  // Of each group its rows, and the domain whose statistics they have.
  void find_groups() {
    const Pass& pass = network_.pass();
    if (pass.statistics == BatchStatistics::kJoint) {
      groups_ = ops::one_group(type_.rows);
      domains_ = {0};
      return;
    }
    for (int domain = 0; domain < static_cast<int>(kDomainNames.size()); ++domain) {
      Rows rows;
      for (int segment = 0; segment < kMaxSegments; ++segment) {
        const bool own = pass.domains[static_cast<std::size_t>(segment)] == domain;
        if (own && type_.rows.contains_segment(segment)) rows = rows | segment_rows(segment);
      }
      if (rows.none()) continue;
      groups_.push_back(rows);
      domains_.push_back(domain);
    }
  }

  float epsilon() const { return static_cast<float>(options_.epsilon); }

  Value channel(const std::string& name, float value, bool trained) {
    const Shape shape{channels_};
    return network_.parameter(name, shape, FileLayout::same(shape), Constant{value}, trained);
  }

  // Where a domain has none of its own, and cannot get any, the other one's serve: a layer may have
  // seen that one only.
  std::string statistics_name(int domain) const {
    if (network_.pass().statistics != BatchStatistics::kPerDomain) return name_;
    const std::string own = message(name_, ".", kDomainNames.at(domain));
    const std::string other = message(name_, ".", kDomainNames.at(1 - domain));
    const bool has_own = network_.index_of(own + ".running_mean") >= 0;
    const bool has_other = network_.index_of(other + ".running_mean") >= 0;
    const bool declares = network_.pass().training && network_.can_declare();
    return declares || has_own || !has_other ? own : other;
  }

  void keep(Value moments, std::size_t group) {
    const std::string name = statistics_name(domains_[group]);
    channel(name + ".running_mean", 0.0F, false);
    channel(name + ".running_var", 1.0F, false);
    network_.keep({.moments = moments,
                   .groups = groups_,
                   .group = group,
                   .pixels = type_.shape.size() / channels_,
                   .mean = network_.index_of(name + ".running_mean"),
                   .variance = network_.index_of(name + ".running_var"),
                   .momentum = static_cast<float>(options_.momentum)});
  }

  Value normalised(Value moments, bool of_batch) {
    const Pass& pass = network_.pass();
    const bool own = pass.statistics == BatchStatistics::kPerDomain && pass.own_scale;
    std::vector<ops::ChannelAffine> affine;
    for (const int domain : own ? domains_ : std::vector<int>{0}) {
      const std::string name = own ? statistics_name(domain) : name_;
      affine.push_back(
          {channel(name + ".weight", 1.0F, true), channel(name + ".bias", 0.0F, true)});
    }
    return ops::batch_norm(network_.graph(), x_, moments, affine,
                           {.groups = groups_, .of_batch = of_batch});
  }

  NetworkBuilder& network_;
  const std::string& name_;
  Value x_;
  ValueType type_;
  BatchNormOptions options_;
  std::int64_t channels_ = 0;
  ops::SegmentGroups groups_;
  std::vector<int> domains_;
};

}  // namespace

Value batch_norm(NetworkBuilder& network, const std::string& name, Value x,
                 const BatchNormOptions& options) {
  BatchNormLayer layer(network, name, x, options);
  return network.pass().training ? layer.training() : layer.evaluation();
}

}  // namespace gradflip
