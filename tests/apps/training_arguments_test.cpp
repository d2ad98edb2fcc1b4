// A method's options are described once, beside the method: a type of options that nothing else in
// the tree names, on the command line, in a configuration file, in JSON and in --help.

#include "apps/common/run/training_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "apps/common/cli.h"
#include "apps/common/usage_error.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

enum class Teacher { kAverage, kFrozen };

struct TeacherOptions {
  Teacher teacher = Teacher::kAverage;
  std::int64_t teacher_views = 2;
  double teacher_decay = 0.99;
};

std::vector<OptionField> fields(TeacherOptions& o) {
  constexpr const char* kGroup = "Teacher";
  return {choice_option({"teacher", kGroup, "who teaches"}, o.teacher,
                        {{Teacher::kAverage, "average"}, {Teacher::kFrozen, "frozen"}}),
          whole_option({"teacher-views", kGroup, "views of an image"}, o.teacher_views, 1, 8),
          real_option({"teacher-decay", kGroup, "of the average"}, o.teacher_decay,
                      RealRange::kBelowOne, UsedAs::kF32)};
}

// A program that trains with such a method.
class TeacherProgram {
 public:
  TeacherProgram() : arguments_(recipe_of_the_method()) {
    arguments_.add_to(app_);
    add_config_option(app_, arguments_.alternatives(), arguments_.replacements());
  }

  std::string help() const { return app_.help(); }
  Recipe recipe(const std::vector<std::string>& words) {
    parse(app_, words);
    return arguments_.recipe();
  }

 private:
  static Recipe recipe_of_the_method() {
    Recipe recipe;
    recipe.of<TeacherOptions>();
    return recipe;
  }

  CLI::App app_{"", "teach"};
  TrainingArguments arguments_;
};

Recipe recipe_from(const std::vector<std::string>& words) {
  TeacherProgram program;
  return program.recipe(words);
}

TEST(TrainingArgumentsTest, TheCommandLineHasAMethodsOptions) {
  const Recipe recipe = recipe_from({"--teacher", "frozen", "--teacher-views", "4",
                                     "--teacher-decay", "0.5", "--preset", "deepda"});
  const auto& teacher = recipe.of<TeacherOptions>();
  EXPECT_EQ(teacher.teacher, Teacher::kFrozen);
  EXPECT_EQ(teacher.teacher_views, 4);
  EXPECT_EQ(teacher.teacher_decay, 0.5);
  EXPECT_EQ(recipe.training.label_smoothing, 0.1);
  EXPECT_EQ(recipe_from({}).of<TeacherOptions>().teacher_views, 2);
}

TEST(TrainingArgumentsTest, AMethodsOptionsAreChecked) {
  EXPECT_THAT(
      [] {
        recipe_from({"--teacher", "none"});
      },
      ThrowsMessage<UsageError>("--teacher: there is no \"none\"; choose one of average, "
                                "frozen"));
  EXPECT_THAT(
      [] {
        recipe_from({"--teacher-views", "9"});
      },
      ThrowsMessage<UsageError>("--teacher-views: 9 is not between 1 and 8"));
  EXPECT_THAT(
      [] {
        recipe_from({"--teacher-decay", "1"});
      },
      ThrowsMessage<UsageError>(HasSubstr("--teacher-decay: 1 is not at least 0")));
  EXPECT_THAT(
      [] {
        recipe_from({"--teacher-views", "two"});
      },
      ThrowsMessage<CLI::ValidationError>(HasSubstr("--teacher-views")));
}

TEST(TrainingArgumentsTest, JsonAndConfigurationFilesHoldAMethodsOptions) {
  const Recipe given = recipe_from({"--teacher", "frozen", "--teacher-decay", "0.125"});
  const nlohmann::ordered_json config = config_of(given);
  EXPECT_EQ(config["teacher"], "frozen");
  EXPECT_EQ(config["teacher-views"], 2);
  EXPECT_EQ(config["teacher-decay"], 0.125);

  const TemporaryFolder folder;
  const std::string file = (folder / "config.toml").string();
  std::ofstream(file) << config_text(config);
  EXPECT_EQ(config_of(recipe_from({"--config", file})), config);
  // A preset means all numbers of a recipe: those of a file are not mixed with it.
  EXPECT_EQ(recipe_from({"--config", file, "--preset", "paper"}).of<TeacherOptions>().teacher,
            Teacher::kAverage);
}

TEST(TrainingArgumentsTest, HelpShowsAMethodsOptions) {
  EXPECT_THAT(TeacherProgram().help(),
              AllOf(HasSubstr("\nTeacher:"), HasSubstr("--teacher average|frozen"),
                    HasSubstr("who teaches [average]"), HasSubstr("--teacher-views INT"),
                    HasSubstr("views of an image [2]"), HasSubstr("--teacher-decay FLOAT"),
                    HasSubstr("of the average [0.99]")));
}

}  // namespace
}  // namespace gradflip
