/**
 * The changes to a source file: each check removed, each limit moved by one. They use TypeScript's own syntax
 * tree.
 */
import {
  isArrayBindingPattern,
  isArrayLiteralExpression,
  isArrowFunction,
  isAsExpression,
  isAwaitExpression,
  isBigIntLiteral,
  isBinaryExpression,
  isCallExpression,
  isConditionalExpression,
  isExpressionStatement,
  isFunctionDeclaration,
  isIdentifier,
  isIfStatement,
  isMethodDeclaration,
  isNumericLiteral,
  isObjectLiteralExpression,
  isPropertyAccessExpression,
  isPropertyAssignment,
  isRegularExpressionLiteral,
  isReturnStatement,
  isSatisfiesExpression,
  isStringLiteral,
  isTemplateExpression,
  isThrowStatement,
  isTypeNode,
  isVariableDeclaration,
  type Node,
  type SourceFile,
  SyntaxKind,
} from 'typescript/unstable/ast'
import type { Change } from './mutant.ts'

type Unnamed = Omit<Change, 'within'>
type Operator = (node: Node, file: SourceFile) => readonly Unnamed[]

/** All changes of a file, in its order. Messages, explanations and types stay unchanged. */
export function changesOf(file: SourceFile): readonly Change[] {
  const changes: Change[] = []
  const visit = (node: Node, around: string): void => {
    if (isTypeNode(node)) return
    const within = nameOf(node) ?? around
    for (const operator of OPERATORS)
      changes.push(...operator(node, file).map((change) => ({ ...change, within })))
    if (isThrowStatement(node) || isTemplateExpression(node) || isText(node)) return
    node.forEachChild((child) => visit(child, within))
  }
  visit(file, '')
  return changes
}

/** The name of a function, a method, a constant of the file, or a constant that is a function. */
function nameOf(node: Node): string | undefined {
  if (isFunctionDeclaration(node) || isMethodDeclaration(node)) return node.name?.getText()
  if (!isVariableDeclaration(node)) return undefined
  const isOfFile = node.parent.parent.parent.kind === SyntaxKind.SourceFile
  const isFunction = node.initializer !== undefined && isArrowFunction(node.initializer)
  return isOfFile || isFunction ? node.name.getText() : undefined
}

const TEXT_PROPERTIES = ['expected', 'actual', 'remedy', 'example']

function isText(node: Node): boolean {
  return isPropertyAssignment(node) && isIdentifier(node.name) && TEXT_PROPERTIES.includes(node.name.text)
}

function change(operator: string, node: Node, file: SourceFile, replacement: string): Unnamed {
  return { operator, start: node.getStart(file), end: node.end, replacement }
}

function forced(
  node: Node,
  file: SourceFile,
  values: readonly string[] = ['true', 'false'],
): readonly Unnamed[] {
  return values.map((value) => change('condition forced', node, file, value))
}

const SHIFTED: Partial<Record<SyntaxKind, string>> = {
  [SyntaxKind.LessThanToken]: '<=',
  [SyntaxKind.LessThanEqualsToken]: '<',
  [SyntaxKind.GreaterThanToken]: '>=',
  [SyntaxKind.GreaterThanEqualsToken]: '>',
}
const COMPARISONS: readonly SyntaxKind[] = [
  SyntaxKind.EqualsEqualsEqualsToken,
  SyntaxKind.ExclamationEqualsEqualsToken,
  SyntaxKind.LessThanToken,
  SyntaxKind.LessThanEqualsToken,
  SyntaxKind.GreaterThanToken,
  SyntaxKind.GreaterThanEqualsToken,
]
const ASSIGNMENTS: readonly SyntaxKind[] = [SyntaxKind.EqualsToken, SyntaxKind.PlusEqualsToken]
const LOGICAL: readonly SyntaxKind[] = [SyntaxKind.AmpersandAmpersandToken, SyntaxKind.BarBarToken]

/** Constraints of a schema; those with a number are moved instead. */
const CONSTRAINTS: readonly string[] = ['refine', 'check', 'regex']

/** Methods that choose among elements, or order them. */
const SELECTIONS: readonly string[] = ['filter', 'sort', 'toSorted']

const OPERATORS: readonly Operator[] = [
  function refusalDisarmed(node, file) {
    return isThrowStatement(node) ? [change('refusal disarmed', node, file, ';')] : []
  },
  function callDropped(node, file) {
    if (!isExpressionStatement(node)) return []
    const { expression } = node
    const isCall = isCallExpression(isAwaitExpression(expression) ? expression.expression : expression)
    const isAssignment = isBinaryExpression(expression) && ASSIGNMENTS.includes(expression.operatorToken.kind)
    if (!isCall && !isAssignment) return []
    return [change(isCall ? 'call dropped' : 'assignment dropped', node, file, ';')]
  },
  function conditionForced(node, file) {
    // If the branch is only a refusal, the condition false equals that refusal disarmed.
    if (isIfStatement(node))
      return forced(node.expression, file, isThrowStatement(node.thenStatement) ? ['true'] : undefined)
    if (isConditionalExpression(node)) return forced(node.condition, file)
    if (isComparison(node) && isResult(node)) return forced(node, file)
    return []
  },
  function operandDropped(node, file) {
    if (!isBinaryExpression(node) || !LOGICAL.includes(node.operatorToken.kind)) return []
    return [node.left, node.right].map((kept) =>
      change('operand dropped', node, file, `(${kept.getText(file)})`),
    )
  },
  function boundaryShifted(node, file) {
    if (!isBinaryExpression(node)) return []
    const shifted = SHIFTED[node.operatorToken.kind]
    if (shifted === undefined) return []
    const [left, right] = [node.left, node.right].map((side) => side.getText(file))
    return [change('boundary shifted', node, file, `${left} ${shifted} ${right}`)]
  },
  function rowRemoved(node, file) {
    if (!isTable(node) && !isListOfRules(node)) return []
    const rows = isArrayLiteralExpression(node)
      ? node.elements
      : isObjectLiteralExpression(node)
        ? node.properties
        : []
    // Includes the comma after the row, if there is one.
    return [...rows].map((row) => ({
      ...change('row removed', row, file, ''),
      end: row.end + (/^\s*,/.exec(file.text.slice(row.end))?.[0].length ?? 0),
    }))
  },
  function selectionDropped(node, file) {
    if (!isCallExpression(node) || !isPropertyAccessExpression(node.expression)) return []
    const { name, expression } = node.expression
    const [callback] = node.arguments
    // A comparison is forced instead.
    const isForced = callback !== undefined && isArrowFunction(callback) && isComparison(callback.body)
    return SELECTIONS.includes(name.text) && !isForced
      ? [change('selection dropped', node, file, expression.getText(file))]
      : []
  },
  function numberMoved(node, file) {
    if (isNumericLiteral(node) && !(isPropertyAssignment(node.parent) && node.parent.name === node))
      return [-1, 1].map((by) => change('number moved', node, file, `(${Number(node.text) + by})`))
    if (isBigIntLiteral(node)) {
      const value = BigInt(node.text.replace(/n$/, ''))
      return [-1n, 1n].map((by) => change('number moved', node, file, `(${value + by}n)`))
    }
    return []
  },
  function quantifierMoved(node, file) {
    if (!isRegularExpressionLiteral(node)) return []
    const start = node.getStart(file)
    return [...node.getText(file).matchAll(/(?<=\{|\{\d+,)\d+(?=,|\})/g)].flatMap(({ 0: number, index }) =>
      // No quantifier is below 0.
      (Number(number) === 0 ? [1] : [-1, 1]).map((by) => ({
        operator: 'number moved',
        start: start + index,
        end: start + index + number.length,
        replacement: String(Number(number) + by),
      })),
    )
  },
  function schemaOpened(node, file) {
    if (!isPropertyAccessExpression(node) || node.name.text !== 'strictObject') return []
    return [change('schema opened', node.name, file, 'object')]
  },
  function constraintDropped(node, file) {
    if (!isCallExpression(node) || !isPropertyAccessExpression(node.expression)) return []
    const { name, expression } = node.expression
    // `startsWith` is also a method of texts.
    const isOfSchema =
      CONSTRAINTS.includes(name.text) || (name.text === 'startsWith' && isCallExpression(expression))
    return isOfSchema ? [change('constraint dropped', node, file, expression.getText(file))] : []
  },
  function demandDropped(node, file) {
    if (!isStringLiteral(node) || !isPropertyAssignment(node.parent) || !isTable(node.parent.parent))
      return []
    return ['required', 'forbidden'].includes(node.text)
      ? [change('demand dropped', node, file, "'any'")]
      : []
  },
]

function isComparison(node: Node): boolean {
  return isBinaryExpression(node) && COMPARISONS.includes(node.operatorToken.kind)
}

/** True for an array literal of a function that lists rules or their reasons: a constant or a result. */
function isListOfRules(node: Node): boolean {
  if (!isArrayLiteralExpression(node) || node.elements.length < 2) return false
  const { parent } = node
  return isResult(node) && !(isVariableDeclaration(parent) && isArrayBindingPattern(parent.name))
}

/** True for an expression whose value is a result, such as that of a filter. */
function isResult({ parent }: Node): boolean {
  return isReturnStatement(parent) || isArrowFunction(parent) || isVariableDeclaration(parent)
}

/** True for an array or object literal that is, or is inside, the value of a constant of the file. */
function isTable(node: Node): boolean {
  if (!isArrayLiteralExpression(node) && !isObjectLiteralExpression(node)) return false
  for (let at: Node = node; ; at = at.parent) {
    const { parent } = at
    if (isVariableDeclaration(parent)) return parent.parent.parent.parent.kind === SyntaxKind.SourceFile
    const isWithin =
      isArrayLiteralExpression(parent) ||
      isObjectLiteralExpression(parent) ||
      isPropertyAssignment(parent) ||
      isAsExpression(parent) ||
      isSatisfiesExpression(parent)
    if (!isWithin) return false
  }
}
