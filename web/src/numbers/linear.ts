/** Symmetric matrices of a few hundred rows, flat, row by row. */

/** Inverse of a positive definite matrix (n, n), by Cholesky's factors. */
export function inverse(matrix: Float64Array, n: number): Float64Array {
  const lower = inverseOfFactor(factor(matrix, n), n);
  const answer = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = i; k < n; k++) sum += lower[k * n + i]! * lower[k * n + j]!;
      answer[i * n + j] = answer[j * n + i] = sum;
    }
  }
  return answer;
}

/** Lower triangle L of L L^T. */
function factor(matrix: Float64Array, n: number): Float64Array {
  const lower = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= lower[i * n + k]! * lower[j * n + k]!;
      lower[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-300)) : sum / lower[j * n + j]!;
    }
  }
  return lower;
}

function inverseOfFactor(lower: Float64Array, n: number): Float64Array {
  const answer = new Float64Array(n * n);
  for (let column = 0; column < n; column++) {
    for (let i = column; i < n; i++) {
      let sum = i === column ? 1 : 0;
      for (let k = column; k < i; k++) sum -= lower[i * n + k]! * answer[k * n + column]!;
      answer[i * n + column] = sum / lower[i * n + i]!;
    }
  }
  return answer;
}

/** The matrix with numbers added along its diagonal. */
export function plusDiagonal(matrix: Float64Array, added: Float64Array): Float64Array {
  const n = added.length;
  const answer = Float64Array.from(matrix);
  for (let i = 0; i < n; i++) answer[i * n + i]! += added[i]!;
  return answer;
}

/** Matrix (m, n) times vector (n). */
export function times(matrix: Float64Array, vector: Float64Array): Float64Array {
  const n = vector.length;
  const answer = new Float64Array(matrix.length / Math.max(n, 1));
  for (let i = 0; i < answer.length; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += matrix[i * n + j]! * vector[j]!;
    answer[i] = sum;
  }
  return answer;
}

export function dot(first: Float64Array, second: Float64Array): number {
  return first.reduce((sum, value, i) => sum + value * second[i]!, 0);
}
