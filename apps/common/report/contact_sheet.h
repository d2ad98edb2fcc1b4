// A picture of pictures: tables of pictures under titles, side by side as far as they make the sheet
// about as wide as high.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/data/domain_data.h"

namespace gradflip {

struct SheetSection {
  std::string title;         // ASCII; broken into lines where it is long
  std::int64_t columns = 1;  // of the table; the first stands apart
  Images pictures;           // of 3 channels, row by row
};

// The sheet's size is told before anything is drawn, for whoever wants to refuse it.
struct SheetSize {
  std::int64_t height = 0, width = 0;
};
SheetSize sheet_size(std::span<const SheetSection> sections);

// All pictures have one size; small ones are enlarged by a whole factor. One picture, 3 channels.
Images contact_sheet(std::span<const SheetSection> sections);

}  // namespace gradflip
