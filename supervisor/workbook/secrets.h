// Secrets in configuration cells: option values whose name is_secret_option() knows, the password and secret
// query parameters of URLs. They are stored, and never shown.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/plant/plant.h"
#include "supervisor/workbook/cell_values.h"

namespace fieldwarden::supervisor {

// An options cell with its secrets masked. A text that does not parse and may hold a secret is masked as a
// whole.
std::string masked_options(std::string_view text);
std::string masked_url(std::string_view url);

// What the mask in a cell stands for: the secret of the stored cell. nullopt when there is a mask and nothing
// stored that it could mean.
std::optional<std::string> unmasked_options(std::string_view text, std::string_view stored);
std::optional<std::string> unmasked_url(std::string_view url, std::string_view stored);

// Puts the stored secrets back where `cells`, those of a whole record, hold the mask. `stored` may be null.
void put_back_secrets(Kind kind, const Record* stored, std::vector<std::string>& cells, Language language,
                      Findings& findings);

}  // namespace fieldwarden::supervisor
