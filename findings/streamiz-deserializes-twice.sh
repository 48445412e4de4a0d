#!/usr/bin/env bash
# Streamiz.Kafka.Net 1.8.2 (NuGet), the deserializer of a source and DeserializationExceptionHandler in its TopologyTestDriver.
#
# Expected: as in Kafka Streams, whose port it is, a record is deserialized once when it comes, and a record that cannot be is given to the
# handler once, which may send it to a topic of dead letters or count it, and answers whether to go on.
# Seen: key and value are deserialized twice, first for the timestamp extractor, whether it looks at them or not, and again when the record
# is processed. The handler is called twice for one record: each dead letter is there twice, and a count of them is double.
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

var builder = new StreamBuilder();
int processed = 0, handled = 0;
builder.Stream<string, string>("orders").Foreach((_, _, _) => processed++);
var config = new StreamConfig<StringSerDes, Counting>
{
    ApplicationId = "finding",
    StateDir = Directory.GetCurrentDirectory(),
    Logger = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.None)),
    DeserializationExceptionHandler = (_, _, _) =>
    {
        handled++;
        return ExceptionHandlerResponse.CONTINUE;
    },
};
using var driver = new TopologyTestDriver(builder.Build(), config);
var orders = driver.CreateInputTopic("orders", new StringSerDes(), new ByteArraySerDes());
orders.PipeInput("1", "good"u8.ToArray());
Console.WriteLine($"a good record: processed {processed}, deserialized {Counting.Calls}");
orders.PipeInput("2", "bad"u8.ToArray());
Console.WriteLine($"a bad record: processed {processed - 1}, handled {handled}");

public sealed class Counting : AbstractSerDes<string>
{
    public static int Calls;

    public override string Deserialize(byte[] data, SerializationContext context)
    {
        Calls++;
        string text = Encoding.UTF8.GetString(data);
        return text == "bad" ? throw new FormatException("no order") : text;
    }

    public override byte[] Serialize(string data, SerializationContext context) => Encoding.UTF8.GetBytes(data);
}
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
a good record: processed 1, deserialized 2
a bad record: processed 0, handled 2
SEEN
