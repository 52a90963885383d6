// The split of docs/routes.md in Go, from the definition alone:
//
//	go run split.go ../../docs/split-vectors.json
//
// checks every row of the vectors and says how many it found right.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"sort"
)

type candidate struct {
	Profile string `json:"profile"`
	Weight  int    `json:"weight"`
}

type row struct {
	Purpose    string      `json:"purpose"`
	RunID      string      `json:"run_id"`
	Candidates []candidate `json:"candidates"`
	Order      []string    `json:"order"`
	Attempts   []string    `json:"attempts"`
}

func cost(c candidate, purpose, runID string) float64 {
	var message []byte
	for _, part := range []string{"pointsman.split.v1", purpose, runID, c.Profile} {
		message = binary.BigEndian.AppendUint32(message, uint32(len(part)))
		message = append(message, part...)
	}
	digest := sha256.Sum256(message)
	top := binary.BigEndian.Uint64(digest[:8]) >> 11
	return -math.Log(float64(top+1)/(1<<53)) / float64(c.Weight)
}

func order(candidates []candidate, purpose, runID string) []string {
	sorted := slices.Clone(candidates)
	sort.SliceStable(sorted, func(i, j int) bool {
		return cost(sorted[i], purpose, runID) < cost(sorted[j], purpose, runID)
	})
	var names []string
	for _, c := range sorted {
		names = append(names, c.Profile)
	}
	return names
}

func main() {
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var vectors struct {
		Rows []row `json:"rows"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		panic(err)
	}
	wrong := 0
	for _, r := range vectors.Rows {
		found := order(r.Candidates, r.Purpose, r.RunID)
		attempts := []string{found[0]}
		for _, c := range r.Candidates {
			if c.Profile != found[0] {
				attempts = append(attempts, c.Profile)
			}
		}
		if !slices.Equal(found, r.Order) || !slices.Equal(attempts, r.Attempts) {
			fmt.Fprintf(os.Stderr, "run %s: expected %v, found %v\n", r.RunID, r.Order, found)
			wrong++
		}
	}
	fmt.Printf("%d of %d rows right\n", len(vectors.Rows)-wrong, len(vectors.Rows))
	if wrong > 0 {
		os.Exit(1)
	}
}
