#include "kernels/row_groups.h"

#include "kernels/require.h"

namespace gradflip {

void require_valid(const RowGroups& groups) {
  GRADFLIP_REQUIRE(groups.groups > 0 && groups.groups <= kMaxRowGroups && groups.runs >= 0 &&
                       groups.runs <= kMaxRowGroups,
                   message("row groups: ", groups.groups, " groups in ", groups.runs,
                           " runs; at most ", kMaxRowGroups, " of each"));
  for (int i = 0; i < groups.runs; ++i) {
    GRADFLIP_REQUIRE(
        groups.run[i].rows >= 0 && groups.run[i].group >= 0 && groups.run[i].group < groups.groups,
        message("row groups: a run of ", groups.run[i].rows, " rows in group ", groups.run[i].group,
                " of ", groups.groups));
  }
}

}  // namespace gradflip
