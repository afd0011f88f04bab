// Package emission estimates the CO2 of a passenger car from its average speed on a
// road, with the average-speed method that COPERT and national inventories use.
//
// The curve is the hot fuel consumption of a petrol car of 1.4 to 2.0 l, Euro 4 and
// later, of the EMEP/EEA air pollutant emission inventory guidebook 2013 (update of
// September 2014), chapter 1.A.3.b Road transport, Tier 3, Table 3-41:
//
//	FC(v) = (a + c·v + e·v²) / (1 + b·v + d·v²)   g/km, v in km/h, 10 to 130
//	a = 174, b = 0.0685, c = 0.364, d = -0.000247, e = 0.00874
//
// which is the guidebook's general form (α·v² + β·v + γ + δ/v)/(ε·v² + ζ·v + η) with
// δ = 0. All carbon becomes CO2; with 1.86 hydrogen atoms per carbon atom in petrol
// that is 44.011/(12.011 + 1.008·1.86) = 3.17 g of CO2 per gram of fuel (same chapter,
// equation for ultimate CO2).
//
// It stands for one car that is no better or worse than many; fleets, cold starts,
// gradients and buses are not modelled. Only differences between two ways are shown
// to people, where most of that cancels.
package emission

// The speeds for which the curve was fitted, in km/h.
const (
	minSpeedKMH = 10.0
	maxSpeedKMH = 130.0
)

// GramsPerKM is the CO2 of one car in g/km at an average speed in km/h. Outside 10 to
// 130 km/h, where the curve was not measured, it answers for the nearest speed that
// was: a crawl is understated rather than invented.
func GramsPerKM(speedKMH float64) float64 {
	v := min(maxSpeedKMH, max(minSpeedKMH, speedKMH))
	const a, b, c, d, e = 174, 0.0685, 0.364, -0.000247, 0.00874
	const gramsPerGram = 44.011 / (12.011 + 1.008*1.86)
	fuel := (a + c*v + e*v*v) / (1 + b*v + d*v*v)
	return gramsPerGram * fuel
}

// Grams is the CO2 of one car on lengthM metres of road at an average speed in km/h.
func Grams(lengthM, speedKMH float64) float64 {
	return lengthM / 1000 * GramsPerKM(speedKMH)
}
