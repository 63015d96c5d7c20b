// Keeps a file that others append to within a limit, from outside: its front is cut off, its newest part
// stays. For what a process writes to its standard output and error.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"

namespace fieldwarden {

// When the file is larger than `limit`, cuts off its front so that at least the last `keep` bytes stay (fewer
// than twice that and a block). Returns how many bytes went: what was at that offset is now at 0. 0: nothing
// was to be done, or there is no such file.
//
// The writer must have it open for appending. On ext4 and xfs the range is taken out in place: nothing is
// lost that was written meanwhile. Elsewhere the tail is copied behind the cut, and a line that the writer
// adds in between may stand before it.
Result<std::uint64_t> trim_front(const std::string& path, std::uint64_t limit, std::uint64_t keep);
// The same of an open descriptor (readable and writable, or only writable: then nothing is kept where the
// file system cannot take out a range).
Result<std::uint64_t> trim_front(int file, std::uint64_t limit, std::uint64_t keep);

}  // namespace fieldwarden
