#!/usr/bin/env bash
# Streamiz.Kafka.Net 1.8.2 (NuGet), LeftJoin and OuterJoin of two streams in its TopologyTestDriver.
#
# Expected: as in Kafka Streams since 3.1, whose port it is, where the window has a grace: a record without a match is emitted with null once
# its window has closed, a record with a match is emitted with it, once.
# Seen: a record whose match is not there yet is emitted with null at once, and again when the match comes. An order paid five seconds later
# is first reported as unpaid, every time.
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
using Microsoft.Extensions.Logging;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Mock;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.Stream;

var window = JoinWindowOptions.Of(TimeSpan.FromMinutes(1), grace: TimeSpan.FromMinutes(1));
var serdes = StreamJoinProps.With<string, string, string>(new StringSerDes(), new StringSerDes(), new StringSerDes());
static string Pair(string order, string payment) => $"{order ?? "null"} and {payment ?? "null"}";
Run("left", (orders, payments) => orders.LeftJoin(payments, Pair, window, serdes));
Run("outer", (orders, payments) => orders.OuterJoin(payments, Pair, window, serdes));

static void Run(string what, Func<IKStream<string, string>, IKStream<string, string>, IKStream<string, string>> join)
{
    var builder = new StreamBuilder();
    join(builder.Stream<string, string>("orders"), builder.Stream<string, string>("payments")).To("joined");
    var config = new StreamConfig<StringSerDes, StringSerDes>
    {
        ApplicationId = "finding",
        StateDir = Directory.GetCurrentDirectory(),
        Logger = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.None)),
    };
    using var driver = new TopologyTestDriver(builder.Build(), config);
    var at = new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc);
    driver.CreateInputTopic<string, string>("orders").PipeInput("1", "order", at);
    driver.CreateInputTopic<string, string>("payments").PipeInput("1", "payment", at.AddSeconds(5));
    var output = driver.CreateOutputTopic<string, string>("joined");
    while (output.ReadKeyValue() is { } joined)
        Console.WriteLine($"{what}: {joined.Message.Value}");
}
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
left: order and null
left: order and payment
outer: order and null
outer: order and payment
SEEN
