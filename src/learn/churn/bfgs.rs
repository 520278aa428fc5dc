//! Minimisation of a smooth function of a few variables: BFGS with backtracking, from Nocedal and Wright
//! (2006), "Numerical Optimization", algorithm 6.1. Deterministic.

/// The decrease that a step must reach, as a share of what the slope predicts (Armijo).
const DECREASE_SHARE: f64 = 1e-4;
/// Share of the value that counts as its rounding.
const ROUNDING_SHARE: f64 = 1e-13;
/// The longest step along one coordinate: beyond it the quadratic model does not hold.
const STEP_MAX: f64 = 2.0;
const HALVINGS_MAX: usize = 40;
/// Cosine between step and change of the gradient below which their curvature is not used.
const CURVATURE_MIN: f64 = 1e-10;

/// A function at a point. Anything not finite counts as an infinite value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation<const N: usize> {
    /// Its value.
    pub value: f64,
    /// Its gradient.
    pub gradient: [f64; N],
}

/// Where to search and when to end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Every coordinate is kept between minus this and this.
    pub coordinate_max: f64,
    /// The search ends when no derivative is greater than this in magnitude.
    pub gradient_enough: f64,
    /// The search ends after so many evaluations.
    pub evaluations_max: usize,
}

/// Where a search ended. It is a minimum only if the gradient is small enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Minimum<const N: usize> {
    /// The point.
    pub point: [f64; N],
    /// The function's value there.
    pub value: f64,
    /// The greatest magnitude among the derivatives there; infinite if the function is not finite.
    pub gradient_max: f64,
    /// Evaluations it took.
    pub evaluations: usize,
}

/// Searches for a minimum from a start.
#[must_use]
pub fn minimise<const N: usize>(
    objective: impl Fn(&[f64; N]) -> Evaluation<N>,
    start: [f64; N],
    limits: Limits,
) -> Minimum<N> {
    let mut search = Search {
        objective,
        limits,
        evaluations: 0,
    };
    let mut point = search.clamped(start);
    let mut here = search.evaluate(&point);
    let mut inverse = identity();
    let mut is_scaled = false;
    while gradient_max(&here) > limits.gradient_enough
        && here.value.is_finite()
        && search.evaluations < limits.evaluations_max
    {
        let mut direction = times(&inverse, &here.gradient).map(|x| -x);
        if dot(&direction, &here.gradient) >= 0.0 {
            inverse = identity();
            is_scaled = false;
            direction = here.gradient.map(|x| -x);
        }
        let Some((next_point, next)) = search.along(&point, &here, &direction) else {
            // One more attempt, with steepest descent; then the search ends.
            if !is_scaled {
                break;
            }
            inverse = identity();
            is_scaled = false;
            continue;
        };
        let moved = minus(&next_point, &point);
        let bent = minus(&next.gradient, &here.gradient);
        let curvature = dot(&moved, &bent);
        let lengths = (dot(&moved, &moved) * dot(&bent, &bent)).sqrt();
        if curvature > CURVATURE_MIN * lengths {
            if !is_scaled {
                let scale = curvature / dot(&bent, &bent);
                inverse = inverse.map(|row| row.map(|x| x * scale));
                is_scaled = true;
            }
            inverse = updated(&inverse, &moved, &bent, curvature);
        }
        point = next_point;
        here = next;
    }
    Minimum {
        point,
        value: here.value,
        gradient_max: gradient_max(&here),
        evaluations: search.evaluations,
    }
}

struct Search<F> {
    objective: F,
    limits: Limits,
    evaluations: usize,
}

impl<F> Search<F> {
    fn clamped<const N: usize>(&self, point: [f64; N]) -> [f64; N] {
        let most = self.limits.coordinate_max;
        point.map(|x| x.clamp(-most, most))
    }

    fn evaluate<const N: usize>(&mut self, point: &[f64; N]) -> Evaluation<N>
    where
        F: Fn(&[f64; N]) -> Evaluation<N>,
    {
        self.evaluations += 1;
        let mut found = (self.objective)(point);
        if !found.value.is_finite() || found.gradient.iter().any(|x| !x.is_finite()) {
            found.value = f64::INFINITY;
        }
        found
    }

    /// The first of ever shorter steps that decreases the function enough, and the function there.
    fn along<const N: usize>(
        &mut self,
        point: &[f64; N],
        here: &Evaluation<N>,
        direction: &[f64; N],
    ) -> Option<([f64; N], Evaluation<N>)>
    where
        F: Fn(&[f64; N]) -> Evaluation<N>,
    {
        let longest = direction.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let mut length = (STEP_MAX / longest).min(1.0);
        let rounding = ROUNDING_SHARE * here.value.abs();
        for _ in 0..HALVINGS_MAX {
            let next_point = self.clamped(plus_times(point, length, direction));
            let promised = dot(&here.gradient, &minus(&next_point, point));
            if promised >= 0.0 {
                // After clamping the step points uphill, or has no length.
                return None;
            }
            let next = self.evaluate(&next_point);
            let gain = here.value - next.value;
            // Near the minimum the decrease is below rounding, but the gradient is still exact enough.
            let is_closer = gain >= -rounding && gradient_max(&next) < gradient_max(here);
            if gain >= -DECREASE_SHARE * promised || is_closer && -promised <= rounding {
                return Some((next_point, next));
            }
            length /= 2.0;
        }
        None
    }
}

/// The inverse Hessian after a step s with a change y of the gradient: equation 6.17,
/// (I - s y' / s'y) H (I - y s' / s'y) + s s' / s'y, multiplied out.
fn updated<const N: usize>(
    inverse: &[[f64; N]; N],
    moved: &[f64; N],
    bent: &[f64; N],
    curvature: f64,
) -> [[f64; N]; N] {
    let image = times(inverse, bent);
    let own = (1.0 + dot(bent, &image) / curvature) / curvature;
    let mut next = *inverse;
    for ((row, moved_row), image_row) in next.iter_mut().zip(moved).zip(&image) {
        for ((cell, moved_column), image_column) in row.iter_mut().zip(moved).zip(&image) {
            let cross = moved_row * image_column + image_row * moved_column;
            *cell += own * moved_row * moved_column - cross / curvature;
        }
    }
    next
}

fn gradient_max<const N: usize>(at: &Evaluation<N>) -> f64 {
    if at.value.is_finite() {
        at.gradient
            .iter()
            .fold(0.0, |most, derivative| most.max(derivative.abs()))
    } else {
        f64::INFINITY
    }
}

fn identity<const N: usize>() -> [[f64; N]; N] {
    let mut matrix = [[0.0; N]; N];
    for (place, row) in matrix.iter_mut().enumerate() {
        row.iter_mut().skip(place).take(1).for_each(|x| *x = 1.0);
    }
    matrix
}

fn dot<const N: usize>(left: &[f64; N], right: &[f64; N]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .sum()
}

fn times<const N: usize>(matrix: &[[f64; N]; N], vector: &[f64; N]) -> [f64; N] {
    matrix.map(|row| dot(&row, vector))
}

fn minus<const N: usize>(left: &[f64; N], right: &[f64; N]) -> [f64; N] {
    plus_times(left, -1.0, right)
}

fn plus_times<const N: usize>(start: &[f64; N], factor: f64, direction: &[f64; N]) -> [f64; N] {
    let mut end = *start;
    for (end, direction) in end.iter_mut().zip(direction) {
        *end += factor * direction;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        coordinate_max: 12.0,
        gradient_enough: 1e-9,
        evaluations_max: 500,
    };

    #[test]
    fn the_bottom_of_rosenbrocks_valley_is_found() {
        // (1 - x)^2 + 100 (y - x^2)^2 has its one minimum, 0, at (1, 1).
        let valley = |[x, y]: &[f64; 2]| {
            let off = y - x * x;
            Evaluation {
                value: (1.0 - x) * (1.0 - x) + 100.0 * off * off,
                gradient: [-2.0 * (1.0 - x) - 400.0 * x * off, 200.0 * off],
            }
        };
        for start in [[-1.2, 1.0], [0.0, 0.0], [3.0, -4.0]] {
            let found = minimise(valley, start, LIMITS);
            assert!(found.gradient_max <= 1e-9, "{found:?}");
            assert!(found.value < 1e-18, "{found:?}");
            for coordinate in found.point {
                assert!((coordinate - 1.0).abs() < 1e-8, "{found:?}");
            }
        }
    }

    #[test]
    fn a_badly_scaled_bowl_far_above_0_is_found_to_the_gradient_not_to_the_value() {
        // 1000 + x^2 + 0.0001 (y - 3)^2: 1e-13 of the value hides y within 0.001, its derivative does not.
        let bowl = |[x, y]: &[f64; 2]| Evaluation {
            value: 1000.0 + x * x + 1e-4 * (y - 3.0) * (y - 3.0),
            gradient: [2.0 * x, 2e-4 * (y - 3.0)],
        };
        let found = minimise(bowl, [5.0, -7.0], LIMITS);
        assert!(found.gradient_max <= 1e-9, "{found:?}");
        let [x, y] = found.point;
        assert!(x.abs() < 1e-8 && (y - 3.0).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn what_is_not_finite_is_a_wall() {
        // x - ln x, minimum at 1; not a number below 0.
        let walled = |[x]: &[f64; 1]| Evaluation {
            value: x - libm::log(*x),
            gradient: [1.0 - 1.0 / x],
        };
        let found = minimise(walled, [11.0], LIMITS);
        assert!((found.point[0] - 1.0).abs() < 1e-8, "{found:?}");
        let nowhere = minimise(walled, [-1.0], LIMITS);
        assert!(nowhere.gradient_max.is_infinite(), "{nowhere:?}");
        assert_eq!(nowhere.evaluations, 1);
    }

    #[test]
    fn a_slope_without_end_stops_at_the_bound_and_its_gradient_says_so() {
        let slope = |[x, y]: &[f64; 2]| Evaluation {
            value: y * y - x,
            gradient: [-1.0, 2.0 * y],
        };
        let found = minimise(slope, [0.0, 1.0], LIMITS);
        assert!((found.point[0] - 12.0).abs() < 1e-12, "{found:?}");
        assert!((found.gradient_max - 1.0).abs() < 1e-12, "{found:?}");
        assert!(found.evaluations < LIMITS.evaluations_max);
    }
}
