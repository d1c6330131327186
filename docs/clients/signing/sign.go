// Posts one signed command. Needs franz-go.
//
//	sign BROKERS TOPIC KEY_ID SECRET_FILE RECORD_KEY COMMAND
package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// part writes the bytes after their length; nil has a length of its own.
func part(out *bytes.Buffer, data []byte) {
	length := uint32(len(data))
	if data == nil {
		length = 0xffffffff
	}
	binary.Write(out, binary.BigEndian, length)
	out.Write(data)
}

// sign adds the three headers that the record needs; its topic, key and value are final by now.
func sign(record *kgo.Record, keyID string, secret []byte) {
	at := strconv.FormatInt(time.Now().UnixMilli(), 10)
	var signed bytes.Buffer
	part(&signed, []byte("accountd1"))
	part(&signed, []byte(keyID))
	part(&signed, []byte(at))
	part(&signed, []byte(record.Topic))
	part(&signed, record.Key)
	part(&signed, record.Value)
	mac := hmac.New(sha256.New, secret)
	mac.Write(signed.Bytes())
	record.Headers = append(record.Headers,
		kgo.RecordHeader{Key: "accountd-key-id", Value: []byte(keyID)},
		kgo.RecordHeader{Key: "accountd-signed-at", Value: []byte(at)},
		kgo.RecordHeader{Key: "accountd-signature", Value: []byte(hex.EncodeToString(mac.Sum(nil)))})
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) != 7 {
		fail(fmt.Errorf("sign BROKERS TOPIC KEY_ID SECRET_FILE RECORD_KEY COMMAND"))
	}
	text, err := os.ReadFile(os.Args[4])
	fail(err)
	line, _, _ := strings.Cut(string(text), "\n")
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(os.Args[1], ",")...))
	fail(err)
	defer client.Close()
	record := &kgo.Record{Topic: os.Args[2], Key: []byte(os.Args[5]), Value: []byte(os.Args[6])}
	sign(record, os.Args[3], []byte(strings.TrimRight(line, "\r")))
	fail(client.ProduceSync(context.Background(), record).FirstErr())
}
