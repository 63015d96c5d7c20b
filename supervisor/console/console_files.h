// The files of the web console as they were built, embedded in the program
// (supervisor/console/CMakeLists.txt).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace fieldwarden::supervisor::console {

struct ConsoleFile {
    std::string_view path;          // "/index.html", "/assets/index-4f1c.js"
    std::string_view content_type;  // with its charset
    std::string_view etag;          // quoted; of the content as it is before compression
    std::string_view gzip;          // the content, compressed
    std::size_t size = 0;           // in bytes, before compression
    bool immutable = false;         // its name changes with its content
};

// In the order of their paths. Empty in a build without the console.
std::span<const ConsoleFile> console_files();

}  // namespace fieldwarden::supervisor::console
