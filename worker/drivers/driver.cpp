// In the program and in every driver module: what a module is linked with, it brings along.
#include "worker/drivers/driver.h"

namespace fieldwarden::worker {

// Until every driver takes writes.
Status Driver::write(std::uint32_t, const Value&) {
    return make_error(ErrorKind::kInvalidArgument, "this driver takes no writes");
}

}  // namespace fieldwarden::worker
