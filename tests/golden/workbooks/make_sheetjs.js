// Wrote sheetjs.xlsx, sheetjs_shared.xlsx and sheetjs.xls, the golden files of SheetJS (npm xlsx 0.18), which are
// committed so that the tests need no npm. Usage: python3 rows_as_json.py | node make_sheetjs.js FOLDER
const fs = require("fs");
const XLSX = require("xlsx");

const folder = process.argv[2];
const plant = JSON.parse(fs.readFileSync(0, "utf8"));
const book = XLSX.utils.book_new();
book.Workbook = { Sheets: [] };
for (const { name, hidden, rows } of plant) {
  const sheet = {};
  let last = 0;
  rows.forEach((row, r) =>
    row.forEach((cell, c) => {
      if (cell === null) return;
      last = Math.max(last, c);
      sheet[XLSX.utils.encode_cell({ r, c })] = cell;
    }),
  );
  sheet["!ref"] = XLSX.utils.encode_range({ s: { r: 0, c: 0 }, e: { r: rows.length - 1, c: last } });
  XLSX.utils.book_append_sheet(book, sheet, name);
  book.Workbook.Sheets.push({ Hidden: hidden ? 1 : 0 });
}
XLSX.writeFile(book, folder + "/sheetjs.xlsx", { bookSST: false });
XLSX.writeFile(book, folder + "/sheetjs_shared.xlsx", { bookSST: true, compression: true });
XLSX.writeFile(book, folder + "/sheetjs.xls", { bookType: "biff8" });
