#include "worker/drivers/modbus/serial_port.h"

// termios2 takes any baud rate; its header and <termios.h> cannot be included together.
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

namespace fieldwarden::worker::modbus {

namespace {

constexpr const char* kTaken =
    "another process has this port; put all devices of one line into one task, and end other programs that "
    "use "
    "the port";

Error refused(ErrorKind kind, std::string why) {
    return make_error(kind, std::move(why));
}

std::string_view parity_text(Parity parity) {
    switch (parity) {
        case Parity::kNone:
            return "no parity";
        case Parity::kEven:
            return "even parity";
        case Parity::kOdd:
            return "odd parity";
    }
    return "?";
}

Error cannot_open(int error) {
    switch (error) {
        case EBUSY:
            return refused(ErrorKind::kConflict, kTaken);
        case ENOENT:
        case ENXIO:
        case ENODEV:
        case EIO:
            return refused(
                ErrorKind::kUnavailable,
                fmt::format("there is no such port now ({}); check the adapter and its cable, and the "
                            "device's address",
                            errno_text(error)));
        case EACCES:
        case EPERM:
            return refused(
                ErrorKind::kIo,
                "permission denied; the user that Fieldwarden runs as has to be in the group dialout");
        default:
            return refused(ErrorKind::kIo, fmt::format("cannot open the port: {}", errno_text(error)));
    }
}

Status configure(int fd, const SerialSettings& settings) {
    termios2 port{};
    if (ioctl(fd, TCGETS2, &port) != 0) {
        if (errno == ENOTTY) return refused(ErrorKind::kIo, "this is no serial port");
        return refused(ErrorKind::kIo, fmt::format("cannot read its settings: {}", errno_text(errno)));
    }
    port.c_iflag = settings.parity == Parity::kNone ? 0 : INPCK;  // a character of wrong parity becomes zero
    port.c_oflag = 0;
    port.c_lflag = 0;
    port.c_cflag = CS8 | CREAD | CLOCAL | BOTHER;
    if (settings.parity != Parity::kNone) port.c_cflag |= PARENB;
    if (settings.parity == Parity::kOdd) port.c_cflag |= PARODD;
    if (settings.stop_bits == 2) port.c_cflag |= CSTOPB;
    port.c_ispeed = port.c_ospeed = settings.baud_rate;
    port.c_cc[VMIN] = 1;
    port.c_cc[VTIME] = 0;
    if (ioctl(fd, TCSETS2, &port) != 0 || ioctl(fd, TCGETS2, &port) != 0)
        return refused(ErrorKind::kIo,
                       fmt::format("it does not take {}: {}", to_text(settings), errno_text(errno)));
    // Drivers choose the nearest speed they have; beyond 3 % characters are misread.
    const auto asked = settings.baud_rate;
    const auto got = port.c_ospeed;
    if ((got > asked ? got - asked : asked - got) > asked / 33) {
        return refused(ErrorKind::kIo,
                       fmt::format("it cannot do {} baud; the nearest it offers is {}", asked, got));
    }
    return {};
}

}  // namespace

std::string to_text(const SerialSettings& settings) {
    return fmt::format("{} baud, {}, {} stop bit{}", settings.baud_rate, parity_text(settings.parity),
                       settings.stop_bits, settings.stop_bits == 1 ? "" : "s");
}

Result<int> open_serial_port(const std::string& path, const SerialSettings& settings) {
    // Non-blocking, so that opening does not wait for a modem's carrier either.
    const int fd = open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return cannot_open(errno);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const int error = errno;
        close(fd);
        return error == EWOULDBLOCK ? refused(ErrorKind::kConflict, kTaken) : cannot_open(error);
    }
    if (const auto fine = configure(fd, settings); !fine) {
        close(fd);
        return fine.error();
    }
    ioctl(fd, TIOCEXCL);
    ioctl(fd, TCFLSH, TCIOFLUSH);
    return fd;
}

void close_serial_port(int fd) {
    ioctl(fd, TCFLSH, TCIOFLUSH);
    // Otherwise it would stay for a port that somebody else still has open.
    ioctl(fd, TIOCNXCL);
    close(fd);
}

}  // namespace fieldwarden::worker::modbus
