// What a warm spare lacks of a worker that was launched for its task, and makes up for when it is given one:
// its environment names the task, and its stdout and stderr are the task's crash file.
#pragma once

#include <span>
#include <string>

#include "common/result.h"

namespace fieldwarden::worker {

// The value of FIELDWARDEN_TASK in this process's own environment when it is a spare's, to be written over;
// empty otherwise.
std::span<char> blanks_of_spare();

// `blanks` becomes the task's code, as /proc/<pid>/environ shows it from now on. kIo when the crash file
// cannot be opened: stdout and stderr then stay where they are.
Status take_identity(std::span<char> blanks, const std::string& data_dir, const std::string& task_code);

}  // namespace fieldwarden::worker
