//! Gaussian copula: normal scores with given correlations, mixed from independent ones.

use super::Invalid;

/// What the given correlations are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correlation {
    /// Of the normal scores.
    Score,
    /// Of the ranks (Spearman's), which are those of the columns themselves whatever their distributions.
    Rank,
}

/// Which columns go together, and the triangular matrix that makes their scores from independent ones.
#[derive(Clone, Debug)]
pub struct Copula {
    columns: Vec<usize>,
    /// Row i has i + 1 weights, whose squares add up to 1.
    factor: Vec<Vec<f64>>,
}

impl Copula {
    /// `matrix` holds the correlations of `columns` row by row, ones on its diagonal.
    ///
    /// # Errors
    /// Where it is no correlation matrix, or the correlations contradict each other.
    pub fn new(columns: Vec<usize>, matrix: &[f64], kind: Correlation) -> Result<Copula, Invalid> {
        let count = columns.len();
        if matrix.len() != count * count {
            return Err(Invalid::Parameters(format!(
                "a correlation matrix of {count} columns has {} numbers, not {}",
                count * count,
                matrix.len()
            )));
        }
        for (i, column) in columns.iter().enumerate() {
            if columns[..i].contains(column) {
                return Err(Invalid::Parameters(format!("column {column} is correlated twice")));
            }
            for j in 0..=i {
                let (rho, mirrored) = (matrix[i * count + j], matrix[j * count + i]);
                let permitted = if i == j { rho == 1.0 } else { rho > -1.0 && rho < 1.0 && rho == mirrored };
                if !permitted {
                    return Err(Invalid::Correlation { first: columns[j], second: *column, rho });
                }
            }
        }
        let mut scores = matrix.to_vec();
        if kind == Correlation::Rank {
            for (at, rho) in scores.iter_mut().enumerate() {
                if at / count != at % count {
                    *rho = of_scores(*rho);
                }
            }
        }
        let factor = cholesky(&scores, count)
            .ok_or_else(|| Invalid::Contradiction { smallest_eigenvalue: smallest_eigenvalue(scores, count) })?;
        Ok(Copula { columns, factor })
    }

    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    pub fn factor(&self) -> &[Vec<f64>] {
        &self.factor
    }
}

/// The correlation of two normal scores whose ranks have the correlation `rank`: 2 sin(π rank / 6).
///
/// K. Pearson, On further methods of determining correlation, 1907.
fn of_scores(rank: f64) -> f64 {
    // Taylor's series to x^17, for |x| <= π/6 off by less than 1e-22.
    let x = rank * (std::f64::consts::PI / 6.0);
    let (mut term, mut sum, mut k) = (x, x, 1.0);
    while k < 17.0 {
        term *= -x * x / ((k + 1.0) * (k + 2.0));
        sum += term;
        k += 2.0;
    }
    2.0 * sum
}

/// Lower triangular L with L Lᵀ = `matrix`; `None` if it is not positive definite.
fn cholesky(matrix: &[f64], count: usize) -> Option<Vec<Vec<f64>>> {
    /// A pivot is what earlier columns leave of a variance of 1; less than this is rounding.
    const LEAST_PIVOT: f64 = 1e-12;
    let mut factor: Vec<Vec<f64>> = Vec::with_capacity(count);
    for i in 0..count {
        let mut row = Vec::with_capacity(i + 1);
        for j in 0..i {
            let mut rest = matrix[i * count + j];
            for k in 0..j {
                rest -= row[k] * factor[j][k];
            }
            row.push(rest / factor[j][j]);
        }
        let pivot = 1.0 - row.iter().map(|weight| weight * weight).sum::<f64>();
        if pivot < LEAST_PIVOT {
            return None;
        }
        row.push(pivot.sqrt());
        factor.push(row);
    }
    Some(factor)
}

/// By Jacobi's rotations, which converge for every symmetric matrix.
fn smallest_eigenvalue(mut matrix: Vec<f64>, count: usize) -> f64 {
    const SWEEPS: usize = 30;
    for _ in 0..SWEEPS {
        for p in 0..count {
            for q in p + 1..count {
                let off = matrix[p * count + q];
                if off == 0.0 {
                    continue;
                }
                let ratio = (matrix[q * count + q] - matrix[p * count + p]) / (2.0 * off);
                let tangent = (if ratio < 0.0 { -1.0 } else { 1.0 }) / (ratio.abs() + (ratio * ratio + 1.0).sqrt());
                let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
                let sine = tangent * cosine;
                for k in 0..count {
                    let (a, b) = (matrix[k * count + p], matrix[k * count + q]);
                    matrix[k * count + p] = cosine * a - sine * b;
                    matrix[k * count + q] = sine * a + cosine * b;
                }
                for k in 0..count {
                    let (a, b) = (matrix[p * count + k], matrix[q * count + k]);
                    matrix[p * count + k] = cosine * a - sine * b;
                    matrix[q * count + k] = sine * a + cosine * b;
                }
            }
        }
    }
    (0..count).map(|k| matrix[k * count + k]).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_by_hand() {
        let copula = Copula::new(vec![4, 2], &[1.0, 0.6, 0.6, 1.0], Correlation::Score).unwrap();
        assert_eq!(copula.columns(), [4, 2]);
        assert_eq!(copula.factor(), [vec![1.0], vec![0.6, 0.8]]);
    }

    #[test]
    fn a_factor_squared_is_the_matrix() {
        let matrix = [1.0, 0.5, -0.3, 0.5, 1.0, 0.2, -0.3, 0.2, 1.0];
        let copula = Copula::new(vec![0, 1, 2], &matrix, Correlation::Score).unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let (a, b) = (&copula.factor()[i], &copula.factor()[j]);
                let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                assert!((product - matrix[i * 3 + j]).abs() < 1e-15); // roundings of numbers below 1
            }
        }
    }

    #[test]
    fn ranks_by_hand() {
        // 2 sin(π/6 · 1/2) = 2 sin 15° = (√6 - √2) / 2, and 2 sin 30° = 1.
        assert!((of_scores(0.5) - 0.517_638_090_205_041_5).abs() < 2e-16);
        assert!((of_scores(-1.0) + 1.0).abs() < 2e-16);
    }

    #[test]
    fn contradictions_are_refused() {
        // Two columns near a third, far from each other: eigenvalues of [[1, r, r], [r, 1, -r], [r, -r, 1]] are 1 - 2r, 1 + r.
        let matrix = [1.0, 0.9, 0.9, 0.9, 1.0, -0.9, 0.9, -0.9, 1.0];
        let Err(Invalid::Contradiction { smallest_eigenvalue }) =
            Copula::new(vec![0, 1, 2], &matrix, Correlation::Score)
        else {
            panic!()
        };
        assert!((smallest_eigenvalue + 0.8).abs() < 1e-14);
        let once = |matrix: &[f64]| Copula::new(vec![7, 9], matrix, Correlation::Rank);
        assert!(matches!(once(&[1.0, 0.2, 0.3, 1.0]), Err(Invalid::Correlation { first: 7, second: 9, .. })));
        assert!(matches!(once(&[1.0, 1.0, 1.0, 1.0]), Err(Invalid::Correlation { .. })));
        assert!(matches!(once(&[1.0, f64::NAN, f64::NAN, 1.0]), Err(Invalid::Correlation { .. })));
        assert!(once(&[1.0, 0.2]).is_err());
        assert!(Copula::new(vec![7, 7], &[1.0, 0.2, 0.2, 1.0], Correlation::Rank).is_err());
    }
}
