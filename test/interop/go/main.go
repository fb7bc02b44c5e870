// Verifies a log of confidential-worker with Go's checksum database packages, which share no code with it:
// every checkpoint's signature, the tree of every checkpoint and its consistency with the next, and the
// inclusion of every entry. The argument is the folder of the log.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type folder string

func (dir folder) read(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(dir), filepath.FromSlash(name)))
}

// Height implements tlog.TileReader.
func (dir folder) Height() int { return height }

// ReadTiles implements tlog.TileReader: C2SP's paths have no height.
func (dir folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		bytes, err := dir.read(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

// SaveTiles implements tlog.TileReader.
func (dir folder) SaveTiles([]tlog.Tile, [][]byte) {}

func checkpoint(text string, origin string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != origin || lines[3] != "" {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s: %q", origin, text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, fmt.Errorf("not a root: %q", lines[2])
	}
	return tlog.Tree{N: size, Hash: tlog.Hash(root)}, nil
}

func (dir folder) trees() ([]tlog.Tree, error) {
	vkey, err := dir.read("key")
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(strings.TrimSuffix(string(vkey), "\n"))
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(string(dir), "checkpoint", "*"))
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	var trees []tlog.Tree
	for _, name := range names {
		signed, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		opened, err := note.Open(signed, note.VerifierList(verifier))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		tree, err := checkpoint(opened.Text, verifier.Name())
		if err != nil {
			return nil, err
		}
		trees = append(trees, tree)
	}
	return trees, nil
}

// entry reads entry n from the bundle that a log of this size has.
func (dir folder) entry(n int64, size int64) ([]byte, error) {
	width := min(size-n>>height<<height, 1<<height)
	tile := tlog.Tile{H: height, L: 0, N: n >> height, W: int(width)}
	bundle, err := dir.read(strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1))
	for i := n >> height << height; err == nil && i < n; i++ {
		bundle = bundle[2+binary.BigEndian.Uint16(bundle):]
	}
	if err != nil {
		return nil, err
	}
	return bundle[2 : 2+binary.BigEndian.Uint16(bundle)], nil
}

func (dir folder) verify() (int64, int, error) {
	trees, err := dir.trees()
	if err != nil || len(trees) == 0 {
		return 0, 0, fmt.Errorf("no checkpoints: %w", err)
	}
	for i, tree := range trees {
		// Every hash is authenticated with the tree before it is used.
		hashes := tlog.TileHashReader(tree, dir)
		root, err := tlog.TreeHash(tree.N, hashes)
		if err != nil || root != tree.Hash {
			return 0, 0, fmt.Errorf("tree of %d: %v, %w", tree.N, root, err)
		}
		if i == 0 {
			continue
		}
		before := trees[i-1]
		proof, err := tlog.ProveTree(tree.N, before.N, hashes)
		if err == nil {
			err = tlog.CheckTree(proof, tree.N, tree.Hash, before.N, before.Hash)
		}
		if err != nil {
			return 0, 0, fmt.Errorf("%d after %d: %w", tree.N, before.N, err)
		}
	}
	last := trees[len(trees)-1]
	hashes := tlog.TileHashReader(last, dir)
	for n := range last.N {
		entry, err := dir.entry(n, last.N)
		if err != nil {
			return 0, 0, err
		}
		proof, err := tlog.ProveRecord(last.N, n, hashes)
		if err == nil {
			err = tlog.CheckRecord(proof, last.N, last.Hash, n, tlog.RecordHash(entry))
		}
		if err != nil {
			return 0, 0, fmt.Errorf("entry %d: %w", n, err)
		}
	}
	return last.N, len(trees), nil
}

func main() {
	entries, checkpoints, err := folder(os.Args[1]).verify()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d entries under %d checkpoints\n", entries, checkpoints)
}
