// What the user should know about the pictures of an experiment: one line each.
#pragma once

#include <string>
#include <vector>

#include "apps/dann_mnist/data_sources.h"
#include "models/data/domain_data.h"

namespace gradflip {

// Adds what is odd in a set as it is stored: pictures that will be cropped, enlarged or stretched,
// pictures all alike and, with labels, classes that are missing. `name` is the folder's, `part`
// "training" or "test"; what both parts have in common is said once.
void note_oddities(const UnlabelledImages& set, const std::string& name, const std::string& part,
                   std::vector<std::string>& notes);
void note_oddities(const LabelledImages& set, const std::string& name, const std::string& part,
                   std::vector<std::string>& notes);

// Adds what sets have in common that should have nothing in common. Returns whether every test
// picture of the target is one of its training pictures, wherever it was read from: accuracy on
// them is transductive.
bool note_shared_pictures(ExperimentData& data);

// How many pictures of `of`, counted with their repetitions, `in` has too: pictures that are the
// same to the network, which takes grey in three equal channels.
std::int64_t shared_pictures(const Images& of, const Images& in);

}  // namespace gradflip
