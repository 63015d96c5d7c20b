// The wrong cell of a workbook among its neighbours: what stands left and right of it, and the row's first cell, which names it.
import type { WorkbookProblem } from '@/api/types'

export interface SheetCell { cell: string; column: string; text: string; wrong: boolean; afterGap: boolean }
const kBeside = 1

const lettersOf = (cell: string) => cell.replace(/\d+$/, '')
/** Columns of a spreadsheet in their order: Z before AA. */
export function columnOrder(a: string, b: string): number {
  const [x, y] = [lettersOf(a), lettersOf(b)]
  return x.length - y.length || (x < y ? -1 : x > y ? 1 : 0)
}

export function neighboursOf(problem: WorkbookProblem): SheetCell[] {
  const row = (problem.row_cells ?? []).map((c) => ({ ...c, wrong: c.cell === problem.cell }))
  // A blank cell is not among those of the row; one that has no column at all stands for itself.
  if (!row.some((c) => c.wrong)) {
    const wrong = { cell: problem.cell ?? '', column: problem.column, text: problem.value, wrong: true }
    const at = problem.cell ? row.findIndex((c) => columnOrder(c.cell, problem.cell!) > 0) : -1
    row.splice(at < 0 ? row.length : at, 0, wrong)
  }
  const at = row.findIndex((c) => c.wrong)
  const first = Math.max(0, at - kBeside)
  const shown = row.slice(first, at + kBeside + 1)
  if (first > 0) shown.unshift(row[0]!)
  return shown.map((c, i) => ({ ...c, afterGap: i === 1 && first > 1 }))
}
