/** Colours of lines and bars, told apart in both appearances; never the only sign of what they stand for. */
export const kColours = ['#1f83c4', '#d1642c', '#2f9a58', '#a05bc4', '#c43f5f', '#8a8a1f', '#2aa5a5', '#7d6a5a']
