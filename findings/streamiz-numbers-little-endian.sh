#!/usr/bin/env bash
# Streamiz.Kafka.Net 1.8.2 (NuGet), the bytes of its Int64SerDes, Int32SerDes, DoubleSerDes and of a window's key.
#
# Expected: they are those of Kafka Streams, whose port it is, and of Confluent.Kafka, on which it is built: a count that Streamiz writes is
# read by either, as its partitioner (murmur2) is Java's too.
# Seen: numbers are little-endian where Java's and Confluent.Kafka's are big-endian: a count of 1 is read as 72057594037927936 elsewhere,
# and no length is wrong, so nothing fails. A windowed key has four bytes more than Java's (a sequence number, which Java has in its stores
# alone).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > finding.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><NoWarn>NU1603</NoWarn>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="Confluent.Kafka" Version="[2.16.0]" />
    <PackageReference Include="Streamiz.Kafka.Net" Version="[1.8.2]" />
  </ItemGroup>
</Project>
XML
cat > Program.cs <<'CS'
using System.Text;
using Confluent.Kafka;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.Stream;

SerializationContext value = default;
Console.WriteLine($"a count of 1: {Deserializers.Int64.Deserialize(new Int64SerDes().Serialize(1, value), false, value)}");
Console.WriteLine($"an int of 1: {Deserializers.Int32.Deserialize(new Int32SerDes().Serialize(1, value), false, value)}");
Console.WriteLine($"a double of 1.5: {Convert.ToHexString(new DoubleSerDes().Serialize(1.5, value))}, Confluent.Kafka's " +
    Convert.ToHexString(Serializers.Double.Serialize(1.5, value)));
var window = new Windowed<string>("a", new TimeWindow(1, 10_001));
byte[] key = new TimeWindowedSerDes<string>(new StringSerDes(), 10_000).Serialize(window, value);
byte[] java = [.. Encoding.UTF8.GetBytes("a"), .. Serializers.Int64.Serialize(1, value)];
Console.WriteLine($"a window's key: {Convert.ToHexString(key)}, Java's {Convert.ToHexString(java)}");
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
a count of 1: 72057594037927936
an int of 1: 16777216
a double of 1.5: 000000000000F83F, Confluent.Kafka's 3FF8000000000000
a window's key: 61000000000000000100000000, Java's 610000000000000001
SEEN
