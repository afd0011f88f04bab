package synth

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// names hands out street names, each once while they last.
type names struct {
	rng    *rand.Rand
	local  []string
	main   []string
	town   []string
	bridge []string
	quay   []string
}

func newNames(rng *rand.Rand) *names {
	n := &names{rng: rng, main: mainNames(), town: townNames(), bridge: bridgeNames(), quay: quayNames(), local: localNames()}
	for _, list := range [][]string{n.local, n.main, n.town, n.bridge[1:], n.quay} {
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	return n
}

// take removes the first name of a list; a list that ran out begins to be made of
// family names.
func (n *names) take(list *[]string, kind string) string {
	if len(*list) == 0 {
		first, last := firstNames(), lastNames()
		return kind + first[n.rng.IntN(len(first))] + " " + last[n.rng.IntN(len(last))]
	}
	name := (*list)[0]
	*list = (*list)[1:]
	return name
}

// street names a street of a class.
func (n *names) street(c traffic.Class) string {
	if c == traffic.ClassPrimary || c == traffic.ClassSecondary {
		return n.take(&n.main, "Avenue ")
	}
	return n.take(&n.local, "Rue ")
}

// christen names what has no name yet, or changes it along its way: the rings by the
// side of the town, the quays by their stretch, whatever crosses the water as a bridge.
func (g *graph) christen(c *plan, n *names) {
	along := c.river[len(c.river)-1].sub(c.river[0]).unit()
	given := make(map[[3]int]string)
	for i := range g.edges {
		e := &g.edges[i]
		if e.dead || e.street.kind == kindMotorway {
			continue
		}
		mid, _ := e.line.at(e.line.length() / 2)
		if _, wet := crossingAt(e.line, c.river); wet {
			e.street.label = n.take(&n.bridge, "Pont ")
			continue
		}
		sector := int(math.Floor(8 * math.Mod(math.Atan2(mid.y, mid.x)/(2*math.Pi)+1, 1)))
		key := [3]int{int(e.street.kind), sector, 0}
		list, prefix := &n.town, "Boulevard "
		switch e.street.kind {
		case kindInner:
			key[1] = sector / 2
		case kindBoulevard:
		case kindQuay:
			list, prefix = &n.quay, ""
			key[1] = int(math.Floor(mid.dot(along) / 900))
			if mid.sub(c.river[0]).cross(along) > 0 {
				key[2] = 1
			}
		case kindArterial:
			key[1] = e.street.radial
			prefix = "Avenue "
		default:
			continue
		}
		if e.street.kind == kindArterial && e.street.label != "" {
			continue
		}
		if given[key] == "" {
			given[key] = prefix + n.take(list, strings.TrimSpace(prefix)+" ")
		}
		e.street.label = given[key]
	}
}

func mainNames() []string {
	return []string{
		"Avenue de la Gare", "Rue de la République", "Avenue de la Paix", "Rue Nationale", "Cours de la Liberté",
		"Avenue des Tilleuls", "Rue du Commerce", "Avenue du Parc", "Rue de l'Hôtel de Ville", "Avenue des Platanes",
		"Rue de la Préfecture", "Avenue de l'Europe", "Cours des Alliés", "Rue du Palais", "Avenue de l'Hippodrome",
		"Avenue des Arts", "Rue de l'Université", "Avenue du Stade", "Rue du Grand Marché", "Avenue des Peupliers",
		"Rue de l'Arsenal", "Avenue de la Libération", "Rue Haute", "Rue Basse", "Avenue du Port", "Rue de l'Hôpital",
		"Avenue des Acacias", "Rue du Faubourg Neuf", "Cours du Mail", "Avenue de la Victoire", "Rue de la Monnaie",
		"Avenue des Sciences", "Rue du Théâtre", "Avenue du Château", "Rue des Halles", "Avenue de la Plaine",
	}
}

func townNames() []string {
	return []string{
		"de Montbrun", "de Valcourt", "d'Arnay", "de Beaulieu", "de Saint-Aubin", "de Clairval", "de Rochemont", "d'Orval",
		"de Villers", "de Saint-Loup", "de Fontenay", "de Belmont", "de Chanteloup", "de Marsac", "de Ravières", "d'Estrées",
		"de Grandval", "de Louvois", "de Saint-Clair", "de Tournay", "de Maillé", "de Vernon", "d'Ancy", "de Bréville",
		"de Corbigny", "de Noirlac", "de Sainte-Foy", "de Puymont", "de Challans", "de Vauclair",
	}
}

func bridgeNames() []string {
	return []string{
		"Pont Neuf", "Pont de Pierre", "Pont des Arts", "Pont du Moulin", "Pont Saint-Michel", "Pont de la Gare",
		"Pont des Tanneurs", "Pont de l'Île", "Pont Rouge", "Pont des Bateliers", "Pont de l'Abattoir", "Pont du Halage",
		"Pont de l'Écluse", "Pont Wilson", "Pont des Saules", "Pont de la Tour",
	}
}

func quayNames() []string {
	return []string{
		"Quai des Mariniers", "Quai de la Douane", "Quai des Tanneurs", "Quai du Port", "Quai de la Fosse", "Quai des Brumes",
		"Quai Saint-Pierre", "Quai de l'Arsenal", "Quai des Bateliers", "Quai du Halage", "Quai de la Poterne",
		"Quai des Lavandières", "Quai de l'Écluse", "Quai du Levant", "Quai du Couchant", "Quai des Carmes",
		"Quai des Salines", "Quai Voltaire", "Quai de la Grève", "Quai des Moulins",
	}
}

// localNames combines what streets are called after with how it is said.
func localNames() []string {
	var out []string
	for _, of := range []string{
		"du Moulin", "des Tanneurs", "de l'Église", "du Puits", "des Lilas", "du Four", "de la Fontaine", "des Carmes",
		"du Cloître", "des Forgerons", "de la Poste", "des Jardins", "du Lavoir", "des Écoles", "de la Tour", "des Vignes",
		"du Clos", "des Rosiers", "de la Croix Blanche", "des Cordiers", "du Temple", "des Remparts", "de la Poterie",
		"des Bouchers", "du Chapitre", "de l'Aumône", "des Ormes", "du Pressoir", "de la Licorne", "des Drapiers",
		"du Bac", "de la Cerisaie", "des Meuniers", "du Prieuré", "de la Forge", "des Marronniers", "du Vieux Marché",
		"de l'Abbaye", "des Orfèvres", "du Canal", "de la Mare", "des Noyers", "du Bourg", "des Capucins", "de la Chaîne",
		"du Chemin Vert", "des Alouettes", "du Repos", "de la Verrerie", "des Glycines", "du Lion d'Or", "de la Source",
		"des Merles", "du Grand Pré", "des Charrons", "de la Butte", "du Renard", "des Saules", "de l'Ancien Hôpital",
		"des Trois Rois", "du Bel Air", "des Bleuets", "de la Garenne", "du Levant", "des Pommiers", "du Stand",
	} {
		out = append(out, "Rue "+of)
	}
	first, last := firstNames(), lastNames()
	for i, l := range last {
		for k := range 6 {
			out = append(out, "Rue "+first[(i*5+k*7)%len(first)]+" "+l)
		}
	}
	return out
}

func firstNames() []string {
	return []string{
		"Adèle", "Albert", "Alice", "Anatole", "Blanche", "Camille", "Clara", "Denis", "Edmond", "Élise", "Émile", "Félix",
		"Gaston", "Henri", "Irène", "Jeanne", "Jules", "Léon", "Louise", "Lucien", "Marcel", "Marguerite", "Maurice", "Odette",
		"Paul", "Pauline", "Rosa", "Simone", "Victor",
	}
}

func lastNames() []string {
	return []string{
		"Aubert", "Baudry", "Berthier", "Blanchet", "Carpentier", "Chevalier", "Cordier", "Delmas", "Duparc", "Fabre",
		"Faucher", "Garnier", "Gauthier", "Girard", "Granger", "Hamelin", "Jacquin", "Lacombe", "Lambert", "Leclair",
		"Lefort", "Maillard", "Marchand", "Mercier", "Morel", "Noiret", "Pasquier", "Perrault", "Poulain", "Renaud",
		"Rivière", "Roussel", "Savary", "Tessier", "Tournier", "Vasseur", "Vernet", "Vidal",
	}
}
