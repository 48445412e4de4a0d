#!/usr/bin/env bash
# Streamiz.Kafka.Net 1.8.2 (NuGet), IKStream.To with a function for the topic, a function for the partition, and serdes.
#
# Expected: the record is written with the serdes that the call is given, as by the overloads without a function for the partition.
# Seen: they are dropped without a word. The value is written with the serdes of the stream itself, those of its source: bytes of another
# form than the readers of the topic were promised. The overload without the partitioner takes its serdes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > finding.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><NoWarn>NU1603</NoWarn>
  </PropertyGroup>
  <ItemGroup><PackageReference Include="Streamiz.Kafka.Net" Version="[1.8.2]" /></ItemGroup>
</Project>
XML
cat > Program.cs <<'CS'
using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Mock;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.Stream;

var builder = new StreamBuilder();
IKStream<string, string> orders = builder.Stream("orders", new StringSerDes(), new StringSerDes());
orders.To((_, _, _) => "by-topic", new StringSerDes(), new Quoted());
orders.To((_, _, _) => "by-topic-and-partition", (_, _, _, _, _) => new Partition(0), new StringSerDes(), new Quoted());
var config = new StreamConfig<StringSerDes, StringSerDes>
{
    ApplicationId = "finding",
    StateDir = Directory.GetCurrentDirectory(),
    Logger = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.None)),
};
using var driver = new TopologyTestDriver(builder.Build(), config);
driver.CreateInputTopic("orders", new StringSerDes(), new StringSerDes()).PipeInput("1", "tea");
foreach (string topic in (string[])["by-topic", "by-topic-and-partition"])
{
    ConsumeResult<string, string> written = driver.CreateOutputTopic(topic, TimeSpan.FromSeconds(5), new StringSerDes(), new StringSerDes())
        .ReadKeyValue();
    Console.WriteLine($"{topic}: {written.Message.Value}");
}

public sealed class Quoted : AbstractSerDes<string>
{
    public override string Deserialize(byte[] data, SerializationContext context) => Encoding.UTF8.GetString(data).Trim('"');

    public override byte[] Serialize(string data, SerializationContext context) => Encoding.UTF8.GetBytes($"\"{data}\"");
}
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
by-topic: "tea"
by-topic-and-partition: tea
SEEN
